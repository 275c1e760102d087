import type { PhrasingContent } from 'mdast';
import { textOf } from '../../lesson/markdown.ts';
import { safeLink } from '../../page/safe-url.ts';
import { MAX_BLOCK_TEXT, MAX_RUNS, MAX_TEXT, MAX_URL } from './limits.ts';

export type Marks = {
  readonly bold?: true;
  readonly italic?: true;
  readonly strikethrough?: true;
  readonly code?: true;
};

/** A piece of text of one style, as the API takes it. */
export type TextRun = {
  readonly type: 'text';
  readonly text: { readonly content: string; readonly link?: { readonly url: string } };
  readonly annotations?: Marks;
};

type Piece = { readonly content: string; readonly marks: Marks; readonly link: string | null };

/** What no page can show and Notion does not store; line breaks and tabs stay. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones meant
const UNPRINTABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

export const printable = (text: string): string => text.replace(UNPRINTABLE, '').toWellFormed();

/** Running text as Notion's pieces: equal styles joined, none over the limit, none empty. */
export const toRuns = (nodes: readonly PhrasingContent[], marks: Marks = {}): TextRun[] =>
  runsOf(nodes.flatMap((node) => piecesOf(node, marks, null)));

export const plainRuns = (text: string, marks: Marks = {}): TextRun[] =>
  runsOf([{ content: text, marks, link: null }]);

const piecesOf = (node: PhrasingContent, marks: Marks, link: string | null): Piece[] => {
  const inside = (children: readonly PhrasingContent[], more: Marks, to = link) =>
    children.flatMap((child) => piecesOf(child, { ...marks, ...more }, to));
  switch (node.type) {
    case 'text':
      // A line break in the file is a space on the page; a teacher's own break is a node of its own.
      return [{ content: node.value.replace(/[ \t]*\n[ \t]*/g, ' '), marks, link }];
    case 'strong':
      return inside(node.children, { bold: true });
    case 'emphasis':
      return inside(node.children, { italic: true });
    case 'delete':
      return inside(node.children, { strikethrough: true });
    case 'inlineCode':
      return [{ content: node.value, marks: { ...marks, code: true }, link }];
    case 'break':
      return [{ content: '\n', marks, link }];
    case 'link':
      return inside(node.children, {}, linkTo(node.url) ?? link);
    case 'image':
      return [{ content: node.alt || node.url, marks, link: linkTo(node.url) ?? link }];
    default:
      return [{ content: textOf(node), marks, link }];
  }
};

/** Notion refuses addresses that are not of the web or too long; the words stay without them. */
const linkTo = (url: string): string | null => {
  const address = safeLink(url);
  return address && address.length <= MAX_URL ? address : null;
};

const MARKS = ['bold', 'italic', 'strikethrough', 'code'] as const;

const styleOf = ({ marks, link }: Piece): string =>
  JSON.stringify([MARKS.map((mark) => marks[mark] ?? false), link]);

const runsOf = (pieces: readonly Piece[]): TextRun[] => {
  const joined: Piece[] = [];
  for (const piece of pieces) {
    const content = printable(piece.content);
    const last = joined.at(-1);
    if (content === '') continue;
    if (last && styleOf(last) === styleOf(piece))
      joined[joined.length - 1] = { ...last, content: last.content + content };
    else joined.push({ ...piece, content });
  }
  return joined.flatMap(({ content, marks, link }) =>
    splitText(content).map((part): TextRun => {
      const annotations = Object.fromEntries(MARKS.filter((mark) => marks[mark]).map((mark) => [mark, true]));
      return {
        type: 'text',
        text: { content: part, ...(link !== null && { link: { url: link } }) },
        ...(Object.keys(annotations).length > 0 && { annotations: annotations as Marks }),
      };
    }),
  );
};

/** Parts of at most `max` code units, cut after white space where there is some, and never inside a character. */
export const splitText = (text: string, max = MAX_TEXT): string[] => {
  const parts: string[] = [];
  let rest = text;
  while (rest.length > max) {
    const space = /\s\S*$/.exec(rest.slice(0, max));
    const inPair = /[\ud800-\udbff]$/.test(rest.slice(0, max));
    const at = space && space.index >= max / 2 ? space.index + 1 : max - (inPair ? 1 : 0);
    parts.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  if (rest !== '') parts.push(rest);
  return parts;
};

/** What fits into one block each: the first for the block itself, the others for blocks that go on with its text. */
export const perBlock = (runs: readonly TextRun[], maxText = MAX_BLOCK_TEXT): TextRun[][] => {
  const blocks: TextRun[][] = [[]];
  let length = 0;
  for (const run of runs) {
    const last = blocks.at(-1) ?? [];
    if (last.length > 0 && (last.length === MAX_RUNS || length + run.text.content.length > maxText)) {
      blocks.push([run]);
      length = 0;
    } else last.push(run);
    length += run.text.content.length;
  }
  return blocks;
};
