import type { BlockObjectRequest } from '@notionhq/client';
import type { TextRun } from './rich-text.ts';

/**
 * A block as it should stand on the page: what it says itself in `value`, its children apart, since they may have to be
 * sent in another request.
 */
export type NotionBlock = {
  readonly type: string;
  readonly value: Readonly<Record<string, unknown>>;
  readonly children: readonly NotionBlock[];
};

export const block = (
  type: string,
  value: Readonly<Record<string, unknown>> = {},
  children: readonly NotionBlock[] = [],
): NotionBlock => ({ type, value, children });

export const paragraph = (runs: readonly TextRun[]): NotionBlock => block('paragraph', { rich_text: runs });

/** A block as the API takes it, with those of its children that go in the same request. */
export const toRequest = (
  { type, value }: NotionBlock,
  children: readonly BlockObjectRequest[] = [],
): BlockObjectRequest =>
  ({
    type,
    [type]: children.length > 0 ? { ...value, children } : value,
  }) as unknown as BlockObjectRequest;

/** All blocks of a tree, parents first. */
export function* walkBlocks(blocks: readonly NotionBlock[]): Generator<NotionBlock> {
  for (const each of blocks) {
    yield each;
    yield* walkBlocks(each.children);
  }
}

const textOf = (each: NotionBlock): string => {
  const runs = each.value.rich_text as readonly TextRun[] | undefined;
  return runs?.map(({ text }) => text.content).join('') ?? '';
};

/** The toggle that holds what is narrated; -1 without one. */
export const studyTextIndex = (blocks: readonly NotionBlock[]): number =>
  blocks.findIndex((each) => each.type === 'toggle' && textOf(each) === STUDY_TEXT);

export const STUDY_TEXT = 'study-text';
