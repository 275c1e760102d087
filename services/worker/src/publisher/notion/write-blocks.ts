// Makes the blocks under a parent what they should be, with as few requests as that takes.
//   B1. What others put on the page stays where it is, and so does what the lesson did not change.
//   B2. An append whose answer is lost is not repeated: AnswerLost goes up, and the next look at the page shows what is
//       missing.
//   B3. What is put in comes before what is taken out, so that no column is ever empty.

import { type BlockObjectRequest, isFullBlock } from '@notionhq/client';
import type { NotionBlock } from './block.ts';
import { type StandingBlock, standingBlock, updateOf } from './block-sameness.ts';
import { PAGE_SIZE } from './limits.ts';
import { everyPage, type NotionApi } from './notion-api.ts';
import { AnswerLost } from './notion-error.ts';
import { type Packed, packBlocks, type Waiting } from './pack.ts';
import { planChanges } from './plan-changes.ts';

/** Where new blocks go: after a block, at the start (null), or behind everything there is. */
export type Place = string | null | 'end';

export type Ground = {
  /** Blocks that are none of the lesson's: ours that play the narration, and what others made. */
  readonly isForeign: (standing: StandingBlock) => boolean;
  /** Whether the blocks inside may differ from what is wanted; without a word they all may. */
  readonly mayDiffer?: (wanted: NotionBlock) => boolean;
};

/** The blocks under a parent; null when it does not exist. */
export const listBlocks = async (api: NotionApi, parentId: string): Promise<StandingBlock[] | null> => {
  let isThere = false;
  const answers = everyPage(async (start) => {
    const page = await api.find((client) =>
      client.blocks.children.list({ block_id: parentId, page_size: PAGE_SIZE, ...start }),
    );
    isThere ||= page !== null;
    return page;
  });
  const all: StandingBlock[] = [];
  for await (const each of answers) if (isFullBlock(each) && !each.in_trash) all.push(standingBlock(each));
  return isThere ? all : null;
};

const positionOf = (place: Place) => {
  if (place === 'end') return {};
  return {
    position:
      place === null
        ? { type: 'start' as const }
        : { type: 'after_block' as const, after_block: { id: place } },
  };
};

/** One request; the ids of the blocks it made. */
export const appendOnce = async (
  api: NotionApi,
  parentId: string,
  children: readonly BlockObjectRequest[],
  place: Place,
): Promise<string[]> => {
  const { results } = await api.askOnce((client) =>
    client.blocks.children.append({ block_id: parentId, children: [...children], ...positionOf(place) }),
  );
  if (results.length !== children.length)
    throw new AnswerLost(`${children.length} blocks were sent and ${results.length} answered`);
  return results.map(({ id }) => id);
};

/** Sends what waits for the ids of blocks just made; one read tells all columns of a list. */
const finish = async (api: NotionApi, ids: readonly string[], waiting: readonly Waiting[]): Promise<void> => {
  const columnsOf = new Map<number, readonly StandingBlock[]>();
  for (const { index, column, whole, rest } of waiting) {
    const made = ids[index] ?? '';
    if (column === undefined) {
      await appendBlocks(api, made, rest, 'end');
      continue;
    }
    const columns = columnsOf.get(index) ?? (await listBlocks(api, made)) ?? [];
    columnsOf.set(index, columns);
    const parent = columns[column];
    if (!parent) throw new AnswerLost('a column is missing');
    if (whole) await changeBlocks(api, parent.id, whole, { isForeign: () => false });
    else await appendBlocks(api, parent.id, rest, 'end');
  }
};

/** Sends requests in order, each followed by what waits for its blocks' ids. */
export const sendPacked = async (
  api: NotionApi,
  parentId: string,
  packed: readonly Packed[],
  place: Place,
): Promise<void> => {
  let next = place;
  for (const { children, waiting } of packed) {
    const ids = await appendOnce(api, parentId, children, next);
    await finish(api, ids, waiting);
    next = place === 'end' ? 'end' : (ids.at(-1) ?? next);
  }
};

export const appendBlocks = (
  api: NotionApi,
  parentId: string,
  blocks: readonly NotionBlock[],
  place: Place,
): Promise<void> => sendPacked(api, parentId, packBlocks(blocks), place);

/** A reference shows the blocks of another one; they are not its own. */
const isReference = ({ type, value }: NotionBlock) => type === 'synced_block' && value.synced_from !== null;

/** Changes what is there into what is wanted. */
export const changeBlocks = async (
  api: NotionApi,
  parentId: string,
  wanted: readonly NotionBlock[],
  ground: Ground,
  listed: readonly StandingBlock[] | null = null,
): Promise<void> => {
  const standing = listed ?? (await listBlocks(api, parentId)) ?? [];
  const changes = planChanges(
    wanted,
    standing.filter((each) => !ground.isForeign(each)),
  );
  for (const change of changes) {
    if (change.kind === 'delete') continue;
    if (change.kind === 'insert') {
      await appendBlocks(api, parentId, change.wanted, change.atEnd ? 'end' : change.after);
      continue;
    }
    const { standing: there, wanted: block } = change;
    if (change.kind === 'update')
      await api.ask((client) => client.blocks.update({ block_id: there.id, ...updateOf(block) }));
    if (isReference(block)) continue;
    if (!there.hasChildren) await appendBlocks(api, there.id, block.children, 'end');
    else if (ground.mayDiffer?.(block) ?? true) await changeBlocks(api, there.id, block.children, ground);
  }
  for (const change of changes)
    if (change.kind === 'delete')
      await api.find((client) => client.blocks.delete({ block_id: change.standing.id }));
};
