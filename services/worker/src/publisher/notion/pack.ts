// Cuts a tree of blocks into requests.
//   N1. Each request adds blocks under one parent, within every limit of the API (limits.ts), in the order of the page.
//   N2. An answer tells the ids of the first tier alone. So what has no room below a block waits for a request of its
//       own only where the waiting block's parent is of that tier, or is a column, whose id one more read tells.
//   N3. Tables come with a first row, columns with a first block: Notion refuses them empty.
//   N4. A block's children that fit go with it, up to the first that does not; those after it follow later, together.

import type { BlockObjectRequest } from '@notionhq/client';
import { type NotionBlock, paragraph, toRequest } from './block.ts';
import { MAX_BLOCKS, MAX_BODY_BYTES, MAX_CHILDREN, MAX_TIERS } from './limits.ts';

/** Blocks that are still to be put under a block of the request that made it. */
export type Waiting = {
  /** Index among the request's blocks. */
  readonly index: number;
  /** Set when the parent is a column of that block. */
  readonly column?: number;
  /** All children the parent is to have; for a column that begins with a stand-in, or with a block cut short. */
  readonly whole?: readonly NotionBlock[];
  /** The children still to come, after those that are there. */
  readonly rest: readonly NotionBlock[];
};

export type Packed = {
  readonly children: readonly BlockObjectRequest[];
  readonly waiting: readonly Waiting[];
};

type Size = { readonly blocks: number; readonly bytes: number };

const plus = (a: Size, b: Size): Size => ({ blocks: a.blocks + b.blocks, bytes: a.bytes + b.bytes });
const holds = (room: Size, size: Size) => room.blocks >= size.blocks && room.bytes >= size.bytes;
const less = (room: Size, size: Size): Size => ({
  blocks: room.blocks - size.blocks,
  bytes: room.bytes - size.bytes,
});

const EMPTY: Size = { blocks: MAX_BLOCKS, bytes: MAX_BODY_BYTES };
/** Of a block's `"children":[]` and commas. */
const FRAME_BYTES = 20;

const ownSize = (each: NotionBlock): Size => ({
  blocks: 1,
  bytes: Buffer.byteLength(JSON.stringify(toRequest(each))) + FRAME_BYTES,
});

type Measured = {
  readonly size: Size;
  readonly tiers: number;
  /** No block inside has more children than one request takes. */
  readonly narrow: boolean;
};

const measures = new WeakMap<NotionBlock, Measured>();

const measure = (each: NotionBlock): Measured => {
  const known = measures.get(each);
  if (known) return known;
  const inner = each.children.map(measure);
  const measured = {
    size: inner.reduce((sum, { size }) => plus(sum, size), ownSize(each)),
    tiers: 1 + Math.max(0, ...inner.map(({ tiers }) => tiers)),
    narrow: each.children.length <= MAX_CHILDREN && inner.every(({ narrow }) => narrow),
  };
  measures.set(each, measured);
  return measured;
};

const fits = (each: NotionBlock, tiers: number, room: Size): boolean => {
  const measured = measure(each);
  return measured.tiers <= tiers && measured.narrow && holds(room, measured.size);
};

const whole = (each: NotionBlock): BlockObjectRequest => toRequest(each, each.children.map(whole));

type Piece = {
  readonly request: BlockObjectRequest;
  readonly size: Size;
  readonly waiting: readonly Omit<Waiting, 'index'>[];
};

/** The leading children that fit, whole. */
const leading = (children: readonly NotionBlock[], tiers: number, room: Size) => {
  let left = room;
  let count = 0;
  for (const child of children) {
    if (count === MAX_CHILDREN || !fits(child, tiers, left)) break;
    left = less(left, measure(child).size);
    count += 1;
  }
  return { taken: children.slice(0, count), rest: children.slice(count), left };
};

const used = (room: Size, left: Size): Size => less(room, left);

const cutColumns = (list: NotionBlock, room: Size): Piece => {
  let left = less(room, ownSize(list));
  const waiting: Omit<Waiting, 'index'>[] = [];
  const requests = list.children.map((column, index) => {
    // Every column is to have its share, so that the last one still has room for its first block.
    const share = {
      blocks: Math.floor(left.blocks / (list.children.length - index)),
      bytes: Math.floor(left.bytes / (list.children.length - index)),
    };
    const part = leading(column.children, MAX_TIERS - 2, less(share, ownSize(column)));
    const [first] = part.taken;
    if (first) {
      left = less(left, used(share, part.left));
      if (part.rest.length > 0) waiting.push({ column: index, rest: part.rest });
      return toRequest(column, part.taken.map(whole));
    }
    const standIn = paragraph([]);
    left = less(left, plus(ownSize(column), ownSize(standIn)));
    waiting.push({ column: index, whole: column.children, rest: [] });
    return toRequest(column, [toRequest(standIn)]);
  });
  return { request: toRequest(list, requests), size: used(room, left), waiting };
};

/** As much of a block of the first tier as there is room for. */
const cut = (each: NotionBlock, room: Size): Piece => {
  if (fits(each, MAX_TIERS, room)) return { request: whole(each), size: measure(each).size, waiting: [] };
  if (each.type === 'column_list') return cutColumns(each, room);
  const part = leading(each.children, MAX_TIERS - 1, less(room, ownSize(each)));
  return {
    request: toRequest(each, part.taken.map(whole)),
    size: used(room, part.left),
    waiting: part.rest.length > 0 ? [{ rest: part.rest }] : [],
  };
};

/** The least of a block that the API takes. */
const leastSize = (each: NotionBlock): Size => {
  const own = ownSize(each);
  const [first] = each.children;
  if (each.type === 'table' && first) return plus(own, ownSize(first));
  if (each.type !== 'column_list') return own;
  const column = { blocks: 2, bytes: 200 };
  return each.children.reduce((sum) => plus(sum, column), own);
};

/** The requests that put these blocks under one parent, in order. */
export const packBlocks = (blocks: readonly NotionBlock[]): Packed[] => {
  const requests: Packed[] = [];
  let children: BlockObjectRequest[] = [];
  let waiting: Waiting[] = [];
  let room = EMPTY;
  const close = () => {
    if (children.length > 0) requests.push({ children, waiting });
    children = [];
    waiting = [];
    room = EMPTY;
  };
  for (const each of blocks) {
    const { size } = measure(each);
    // What fits an empty request goes into the next one whole; anything else is cut wherever it stands.
    const wanted = fits(each, MAX_TIERS, EMPTY) ? size : leastSize(each);
    if (children.length === MAX_CHILDREN || !holds(room, wanted)) close();
    const piece = cut(each, room);
    waiting.push(...piece.waiting.map((part) => ({ ...part, index: children.length })));
    children.push(piece.request);
    room = less(room, piece.size);
  }
  close();
  return requests;
};

/** Whether a block is done with the request that makes it. */
export const isComplete = (each: NotionBlock): boolean => fits(each, MAX_TIERS, EMPTY);
