import type { NotionBlock } from './block.ts';
import { isSame, kindOf, type StandingBlock, wordsOf } from './block-sameness.ts';

/** How the blocks under one parent become what they should be, in the order of the page. */
export type Change =
  | { readonly kind: 'keep'; readonly standing: StandingBlock; readonly wanted: NotionBlock }
  | { readonly kind: 'update'; readonly standing: StandingBlock; readonly wanted: NotionBlock }
  /** `after` is the block they follow; null at the start. `atEnd`: nothing stands behind them. */
  | {
      readonly kind: 'insert';
      readonly wanted: readonly NotionBlock[];
      readonly after: string | null;
      readonly atEnd: boolean;
    }
  | { readonly kind: 'delete'; readonly standing: StandingBlock };

type Pair = readonly [wanted: number, standing: number];

/** The longest run of pairs in order, both ends first, since most edits leave them alone. */
const alike = <A, B>(a: readonly A[], b: readonly B[], equal: (a: A, b: B) => boolean): Pair[] => {
  const same = (i: number, j: number) => equal(a[i] as A, b[j] as B);
  let start = 0;
  while (start < a.length && start < b.length && same(start, start)) start += 1;
  let [endA, endB] = [a.length, b.length];
  while (endA > start && endB > start && same(endA - 1, endB - 1)) {
    endA -= 1;
    endB -= 1;
  }
  const [rows, columns] = [endA - start, endB - start];
  const lengths = Array.from({ length: rows + 1 }, () => new Uint16Array(columns + 1));
  const at = (i: number, j: number) => lengths[i]?.[j] ?? 0;
  for (let i = rows - 1; i >= 0; i -= 1)
    for (let j = columns - 1; j >= 0; j -= 1) {
      const row = lengths[i];
      if (row)
        row[j] = same(start + i, start + j) ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  const pairs: Pair[] = Array.from({ length: start }, (_, index) => [index, index]);
  for (let i = 0, j = 0; i < rows && j < columns; ) {
    if (same(start + i, start + j)) {
      pairs.push([start + i, start + j]);
      i += 1;
      j += 1;
    } else if (at(i + 1, j) >= at(i, j + 1)) i += 1;
    else j += 1;
  }
  for (let k = 0; endA + k < a.length; k += 1) pairs.push([endA + k, endB + k]);
  return pairs;
};

/**
 * Blocks that say the same stay; between them, blocks of one kind are rewritten in place, so that links and comments to
 * them live on; the rest is put in or taken out.
 */
export const planChanges = (wanted: readonly NotionBlock[], standing: readonly StandingBlock[]): Change[] => {
  const wantedWords = wanted.map(wordsOf);
  const standingWords = standing.map(wordsOf);
  const anchors = alike(wantedWords, standingWords, (a, b) => a === b);
  const paired = new Map<number, number>(anchors);
  for (const [index, [w, s]] of [...anchors, [wanted.length, standing.length] as Pair].entries()) {
    const [beforeW, beforeS] = anchors[index - 1] ?? [-1, -1];
    const gapW = wanted.slice(beforeW + 1, w);
    const gapS = standing.slice(beforeS + 1, s);
    for (const [i, j] of alike(gapW.map(kindOf), gapS.map(kindOf), (a, b) => a === b))
      paired.set(beforeW + 1 + i, beforeS + 1 + j);
  }

  const kept = new Set(paired.values());
  const changes: Change[] = standing
    .filter((_, index) => !kept.has(index))
    .map((each) => ({ kind: 'delete', standing: each }));
  const lastKept = Math.max(-1, ...paired.keys());
  let run: NotionBlock[] = [];
  let after: string | null = null;
  const insertRun = (atEnd: boolean) => {
    if (run.length > 0) changes.push({ kind: 'insert', wanted: run, after, atEnd });
    run = [];
  };
  for (const [index, each] of wanted.entries()) {
    const found = paired.get(index);
    const block = found === undefined ? undefined : standing[found];
    if (!block) {
      run.push(each);
      continue;
    }
    insertRun(false);
    changes.push({ kind: isSame(each, block) ? 'keep' : 'update', standing: block, wanted: each });
    after = block.id;
  }
  insertRun(lastKept === standing.length - 1);
  return changes;
};
