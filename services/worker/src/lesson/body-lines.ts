import { closes, type FenceMark, fenceMark } from './fences.ts';
import type { SourceLine } from './source-lines.ts';

/** A line of the lesson's body. `code`: inside a fenced code block, where nothing is a directive. */
export type BodyLine = SourceLine & { readonly code: boolean };

/** Marks code blocks and blanks out HTML comments; every line keeps its place. */
export const readBody = (lines: readonly SourceLine[]): BodyLine[] => {
  const lastCommentEnd = lines.findLastIndex(({ text }) => text.includes('-->'));
  const body: BodyLine[] = [];
  const noCloserFrom: Record<string, number> = {}; // fence character → shortest run known to have no closer ahead
  let opener: FenceMark | null = null;
  let inComment = false;

  for (const [index, line] of lines.entries()) {
    const mark = inComment ? null : fenceMark(line.text);
    if (opener) {
      body.push({ ...line, code: true });
      if (closes(mark, opener)) opener = null;
      continue;
    }
    if (mark && mark.length < (noCloserFrom[mark.char] ?? Number.POSITIVE_INFINITY)) {
      if (lines.some((later, at) => at > index && closes(fenceMark(later.text), mark))) {
        opener = mark;
        body.push({ ...line, code: true });
        continue;
      }
      noCloserFrom[mark.char] = mark.length;
    }
    const dropped = dropComments(line.text, inComment, index < lastCommentEnd);
    inComment = dropped.inComment;
    // A fence without a closer would make code of all that follows it; the backslash keeps it as text.
    const text = mark && !dropped.inComment ? line.text.replace(/[`~]/, '\\$&') : dropped.text;
    body.push({ number: line.number, text, code: false });
  }
  return body;
};

/** One line without its comments. A comment that is never closed stays, so that it cannot hide the rest. */
const dropComments = (
  text: string,
  inComment: boolean,
  endsLater: boolean,
): { readonly text: string; readonly inComment: boolean } => {
  let kept = '';
  let at = 0;
  let inside = inComment;
  for (;;) {
    const next = text.indexOf(inside ? '-->' : '<!--', at);
    if (next < 0) return { text: inside ? kept : kept + text.slice(at), inComment: inside };
    if (inside) {
      at = next + 3;
      inside = false;
      continue;
    }
    if (text.indexOf('-->', next) < 0 && !endsLater) return { text: kept + text.slice(at), inComment: false };
    kept += text.slice(at, next);
    at = next + 4;
    inside = true;
  }
};
