import type { SourceLine } from './source-lines.ts';

// The Markdown parser takes quadratic or cubic time on a few made-up inputs: `> > > >`, `1) 1) 1)` and `**a **b **c`
// by the ten thousand took it minutes. No lesson comes near these limits; what does is kept as plain text.

/** Quotes and lists inside one another, counting two spaces of a list item's indent as a level. */
export const MAX_CONTAINERS = 16;

/** Characters of one paragraph, table row or list item that may open or close emphasis, links or code. */
export const MAX_MARKS = 1_000;

export type Excess = 'NESTING_TOO_DEEP' | 'MARKUP_TOO_DENSE';

const CONTAINERS = /^(?:[ \t]*(?:>|[-*+](?=[ \t]|$)|\d{1,9}[.)](?=[ \t]|$)))*/;

/** The lines that go beyond the limits, by index. The others may be parsed, when parsed without these between them. */
export const findExcess = (lines: readonly SourceLine[]): ReadonlyMap<number, Excess> => {
  const excess = new Map<number, Excess>();
  let marks = 0;
  for (const [index, { text }] of lines.entries()) {
    const prefix = CONTAINERS.exec(text)?.[0] ?? '';
    const levels = prefix.replace(/[ \t\d]/g, '').length + Math.floor(indentOf(prefix) / 2);
    const startsAnew = prefix !== '' || /^\s*(?:$|#|\|)/.test(text);
    marks = (startsAnew ? 0 : marks) + countMarks(text);
    if (levels > MAX_CONTAINERS) excess.set(index, 'NESTING_TOO_DEEP');
    else if (marks > MAX_MARKS) excess.set(index, 'MARKUP_TOO_DENSE');
    if (excess.has(index)) marks = 0;
  }
  return excess;
};

const indentOf = (prefix: string): number => {
  let columns = 0;
  for (const char of prefix) {
    if (char === '\t') columns += 4;
    else if (char === ' ') columns += 1;
    else break;
  }
  return columns;
};

const countMarks = (text: string): number => text.match(/[*[\]`~<|!&\\]/g)?.length ?? 0;
