import type { ListItem, Nodes, RootContent, Table } from 'mdast';
import { type Alert, textOf } from '../../lesson/markdown.ts';
import { safeLink } from '../../page/safe-url.ts';
import { block, type NotionBlock, paragraph } from './block.ts';
import { codeLanguage } from './code-languages.ts';
import { MAX_BLOCK_TEXT, MAX_URL } from './limits.ts';
import { perBlock, plainRuns, type TextRun, toRuns } from './rich-text.ts';

/** Colours of headings in some place of the page. */
export type HeadingColours = { readonly h2?: string; readonly h3?: string };

const NO_COLOURS: HeadingColours = {};

/** The Markdown between directives as blocks. */
export const markdownToBlocks = (
  nodes: readonly RootContent[],
  colours: HeadingColours = NO_COLOURS,
): NotionBlock[] => nodes.flatMap((node) => toBlocks(node, colours));

const toBlocks = (node: RootContent, colours: HeadingColours): NotionBlock[] => {
  switch (node.type) {
    case 'heading':
      return heading(node.depth, node.children, colours);
    case 'paragraph': {
      const [only] = node.children;
      if (node.children.length === 1 && only?.type === 'image') return image(only.url, only.alt ?? '');
      return texts('paragraph', toRuns(node.children));
    }
    case 'list':
      return node.children.flatMap((item) => listItem(item, node.ordered === true));
    case 'blockquote': {
      const [first, ...rest] = node.children;
      const alert = node.data?.alert;
      const runs = first?.type === 'paragraph' ? toRuns(first.children) : [];
      const inner = markdownToBlocks(first?.type === 'paragraph' ? rest : node.children);
      return alert
        ? [container('callout', { icon: emoji(ALERT_ICONS[alert]) }, runs, inner)]
        : [container('quote', {}, runs, inner)];
    }
    case 'code':
      return code(node.value, node.lang);
    case 'table':
      return [table(node)];
    case 'thematicBreak':
      return [block('divider')];
    case 'html':
      return [];
    default:
      return texts('paragraph', plainRuns(textOf(node as Nodes)));
  }
};

/** Blocks of text in a row: the second goes on where the first is full. Nothing for no text. */
const texts = (
  type: string,
  runs: readonly TextRun[],
  value: Readonly<Record<string, unknown>> = {},
): NotionBlock[] =>
  runs.every(({ text }) => text.content.trim() === '')
    ? []
    : perBlock(runs).map((part) => block(type, { ...value, rich_text: part }));

/** A block with text and children; text that is too long goes on in its first children. */
export const container = (
  type: string,
  value: Readonly<Record<string, unknown>>,
  runs: readonly TextRun[],
  children: readonly NotionBlock[],
): NotionBlock => {
  const [own = [], ...more] = perBlock(runs);
  return block(type, { ...value, rich_text: own }, [...more.map(paragraph), ...children]);
};

export const emoji = (icon: string) => ({ type: 'emoji', emoji: icon });

const ALERT_ICONS: Readonly<Record<Alert, string>> = {
  note: 'ℹ️',
  tip: '💡',
  important: '❗',
  warning: '⚠️',
  caution: '🛑',
};

/** Notion has four levels of headings; what is deeper is a bold line. */
const heading = (
  depth: number,
  children: Parameters<typeof toRuns>[0],
  colours: HeadingColours,
): NotionBlock[] => {
  if (depth > 4) return texts('paragraph', toRuns(children, { bold: true }));
  const [own, ...more] = perBlock(toRuns(children));
  const colour = depth === 2 ? colours.h2 : depth === 3 ? colours.h3 : undefined;
  return own && own.length > 0
    ? [
        block(`heading_${depth}`, { rich_text: own, ...(colour && { color: colour }) }),
        ...more.map(paragraph),
      ]
    : [];
};

const listItem = (item: ListItem, ordered: boolean): NotionBlock[] => {
  const [first, ...rest] = item.children;
  const hasText = first?.type === 'paragraph';
  const runs = hasText ? toRuns(first.children) : [];
  const children = markdownToBlocks(hasText ? rest : item.children);
  if (typeof item.checked === 'boolean')
    return [container('to_do', { checked: item.checked }, runs, children)];
  return [container(ordered ? 'numbered_list_item' : 'bulleted_list_item', {}, runs, children)];
};

const code = (value: string, lang: string | null | undefined): NotionBlock[] =>
  perBlock(plainRuns(value)).map((part) => block('code', { rich_text: part, language: codeLanguage(lang) }));

const image = (url: string, alt: string): NotionBlock[] => {
  const address = safeLink(url);
  if (!address || !/^https?:/.test(address) || address.length > MAX_URL)
    return texts('paragraph', plainRuns(alt || url));
  const [caption = [], ...more] = perBlock(plainRuns(alt));
  return [
    block('image', {
      type: 'external',
      external: { url: address },
      ...(caption.length > 0 && { caption }),
    }),
    ...more.map(paragraph),
  ];
};

/** Every row is as wide as the table. A cell with too much text goes on in the row below. */
const table = (node: Table): NotionBlock => {
  const width = Math.max(1, ...node.children.map(({ children }) => children.length));
  const rows = node.children.flatMap(({ children }) => {
    const cells = Array.from({ length: width }, (_, column) =>
      perBlock(toRuns(children[column]?.children ?? []), MAX_BLOCK_TEXT / width),
    );
    const lines = Math.max(...cells.map(({ length }) => length));
    return Array.from({ length: lines }, (_, line) =>
      block('table_row', { cells: cells.map((parts) => parts[line] ?? []) }),
    );
  });
  return block(
    'table',
    { table_width: width, has_column_header: !node.data?.headerless, has_row_header: false },
    rows,
  );
};
