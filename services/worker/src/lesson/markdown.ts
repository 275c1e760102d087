import type { Blockquote, Nodes, PhrasingContent, RootContent, Table } from 'mdast';
import { quote, type Report } from './findings.ts';
import { type Excess, findExcess } from './markdown-limits.ts';
import { parseBlocks, parseLine } from './markdown-syntax.ts';
import type { SourceLine } from './source-lines.ts';

declare module 'mdast' {
  interface TableData {
    /** A pipe table written without a separator row: its first row is data. */
    headerless?: boolean;
  }
  interface BlockquoteData {
    /** A quote that began with `[!NOTE]` and the like; the marker is no longer in the text. */
    alert?: Alert;
  }
}

export type Alert = 'note' | 'tip' | 'important' | 'warning' | 'caution';

type Leaf = { readonly lines: readonly SourceLine[]; readonly report: Report };

/**
 * Consecutive lines between directives to mdast. Raw HTML is gone from the result (its words stay), underscores are
 * literal, and `position` counts the lines of the file.
 */
export const parseMarkdown = (lines: readonly SourceLine[], report: Report): RootContent[] => {
  const nodes: RootContent[] = [];
  let from = 0;
  for (const [index, code] of findExcess(lines)) {
    const line = lines[index];
    if (!line) continue;
    report(code, line.number, EXCESS[code]);
    nodes.push(...parseRun(lines.slice(from, index), report), plainParagraph(line));
    from = index + 1;
  }
  return [...nodes, ...parseRun(lines.slice(from), report)];
};

const EXCESS: Readonly<Record<Excess, string>> = {
  NESTING_TOO_DEEP: 'Lists or quotes are nested too deeply here. Use at most a few levels.',
  MARKUP_TOO_DENSE: 'There are too many *, [ or ` in this paragraph to read it. Split it, or leave some out.',
};

const parseRun = (lines: readonly SourceLine[], report: Report): RootContent[] => {
  if (!lines[0]) return [];
  const root = parseBlocks(lines.map(({ text }) => text).join('\n'));
  tidy(root, { lines, report }, lines[0].number - 1);
  return root.children;
};

/** The inline Markdown of one spoken line. */
export const parseInline = (text: string): PhrasingContent[] => {
  const verbatim: PhrasingContent[] = [{ type: 'text', value: text }];
  if (findExcess([{ text: `\u2060${text}`, number: 1 }]).size > 0) return verbatim;
  const root = parseLine(text);
  tidy(root, { lines: [], report: () => undefined }, 0);
  const [paragraph] = root.children;
  return paragraph?.type === 'paragraph' ? paragraph.children : verbatim;
};

/** The words of a node, without markup. */
export const textOf = (node: Nodes): string => {
  if ('value' in node) return node.value;
  if (node.type === 'image') return node.alt ?? '';
  if (node.type === 'break') return '\n';
  return 'children' in node ? node.children.map(textOf).join('') : '';
};

const plainParagraph = ({ text, number }: SourceLine): RootContent => {
  const position = {
    start: { line: number, column: 1 },
    end: { line: number, column: text.length + 1 },
  };
  return { type: 'paragraph', children: [{ type: 'text', value: text.trim(), position }], position };
};

/** Puts right what CommonMark reads differently from a teacher; changes the tree in place. */
const tidy = (node: Nodes, leaf: Leaf, lineOffset: number): void => {
  shift(node, lineOffset);
  if (!('children' in node)) return;
  const children = node.children.flatMap((child) => replace(child, leaf, lineOffset));
  (node as { children: Nodes[] }).children = children;
  if (node.type === 'blockquote') readAlert(node);
  if (node.type === 'table') checkTable(node, leaf.report);
};

const replace = (child: Nodes, leaf: Leaf, lineOffset: number): Nodes[] => {
  const line = (child.position?.start.line ?? 1) + lineOffset;
  const source = () => sourceOf(child, leaf.lines);
  if (child.type === 'html') return replaceHtml(child.value, line, leaf.report);
  if (child.type === 'thematicBreak' && source()[0]?.text.includes('_'))
    return [plainParagraph({ text: source()[0]?.text.replace(/^[^_]*/, '') ?? '', number: line })];
  if (child.type === 'paragraph' && isPiped(source())) return [readLooseTable(source(), leaf.report)];
  if (child.type === 'code')
    leaf.report(
      'NESTED_CODE',
      line,
      'There is a code block inside the lesson. Lessons seldom need one; check that it is meant.',
    );
  tidy(child, leaf, lineOffset);
  return child.type === 'paragraph' && child.children.length === 0 ? [] : [child];
};

const isPiped = (lines: readonly SourceLine[]): boolean =>
  lines.length > 0 && lines.every(({ text }) => /^\s*\|.*\|\s*$/.test(text));

const shift = (node: Nodes, lineOffset: number): void => {
  if (!node.position) return;
  const { start, end } = node.position;
  node.position = {
    start: { line: start.line + lineOffset, column: start.column },
    end: { line: end.line + lineOffset, column: end.column },
  };
};

const sourceOf = (node: Nodes, lines: readonly SourceLine[]): readonly SourceLine[] =>
  lines.slice((node.position?.start.line ?? 1) - 1, node.position?.end.line ?? 0);

/** Line breaks stay, comments go, other tags go with a finding; the words between tags are nodes of their own. */
const replaceHtml = (value: string, line: number, report: Report): Nodes[] => {
  if (/^<br\s*\/?>$/i.test(value)) return [{ type: 'break' }];
  if (!value.startsWith('<!--'))
    report(
      'HTML_IGNORED',
      line,
      `HTML such as ${quote(value)} is left out; only the words between tags are kept. Use Markdown instead.`,
    );
  return [];
};

const ALERT = /^\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*(?:\n|$)/i;

const readAlert = (node: Blockquote): void => {
  const first = node.children[0];
  const text = first?.type === 'paragraph' ? first.children[0] : undefined;
  const match = text?.type === 'text' ? ALERT.exec(text.value) : null;
  if (first?.type !== 'paragraph' || text?.type !== 'text' || !match?.[1]) return;
  node.data = { ...node.data, alert: match[1].toLowerCase() as Alert };
  text.value = text.value.slice(match[0].length);
  if (text.value === '') first.children.shift();
  if (first.children.length === 0) node.children.shift();
};

const cellsOf = (row: string): number =>
  row
    .trim()
    .replace(/^\||\|$/g, '')
    .replace(/\\\|/g, '')
    .split('|').length;

/** Rows that GitHub takes for a paragraph: no separator row, or one of another width than the header. */
const readLooseTable = (rows: readonly SourceLine[], report: Report): Table | Nodes => {
  const second = rows[1]?.text ?? '';
  const header = /^[\s|:-]+$/.test(second) && second.includes('-');
  const first = rows[0] ?? { text: '||', number: 1 };
  const width = cellsOf(first.text);
  const data = rows.slice(header ? 2 : 0).map(({ text }) => text);
  const source = [header ? first.text : '|  '.repeat(width).concat('|'), '|---'.repeat(width).concat('|')];
  const node = parseBlocks([...source, ...data].join('\n')).children[0];
  if (node?.type !== 'table') return plainParagraph(first);
  if (!header) {
    node.children.shift();
    node.data = { headerless: true };
  }
  const numbers = header ? [first.number, ...rows.slice(2).map(({ number }) => number)] : undefined;
  for (const [index, row] of node.children.entries()) {
    const line = numbers?.[index] ?? rows[index]?.number ?? first.number;
    tidy(row, { lines: [], report }, line - (row.position?.start.line ?? line));
  }
  shift(node, first.number - 1);
  if (header && rows[1])
    report(
      'TABLE_RAGGED',
      rows[1].number,
      `The line under the table's header has ${cellsOf(rows[1].text)} columns, the header ${width}. Make them equal.`,
    );
  else checkTable(node, report);
  return node;
};

const checkTable = (table: Table, report: Report): void => {
  const width = table.children[0]?.children.length ?? 0;
  const ragged = table.children.find((row) => row.children.length !== width);
  if (ragged)
    report(
      'TABLE_RAGGED',
      ragged.position?.start.line ?? 1,
      `This table row has ${ragged.children.length} cells, the first row ${width}. Give every row the same number.`,
    );
  if (table.children.length < 2 && !table.data?.headerless)
    report(
      'TABLE_EMPTY',
      table.position?.start.line ?? 1,
      'This table has a header and no rows. Add a row, or remove it.',
    );
};
