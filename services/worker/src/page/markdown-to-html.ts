import type { Element, ElementContent } from 'hast';
import type { PhrasingContent, RootContent } from 'mdast';
import { defaultHandlers, type Handlers, toHast } from 'mdast-util-to-hast';
import type { Alert } from '../lesson/markdown.ts';
import { type Child, el } from './html-element.ts';
import { safeImage, safeLink } from './safe-url.ts';

/** The Markdown between directives as HTML elements. `tinted` headings take the preset's colours. */
export const renderLeaves = (nodes: readonly RootContent[], tinted = false): ElementContent[] => {
  const handlers = tinted ? { ...HANDLERS, ...tintedHeading } : HANDLERS;
  const tree = toHast({ type: 'root', children: [...nodes] }, { handlers });
  return 'children' in tree ? tree.children.flatMap((child) => (child.type === 'doctype' ? [] : child)) : [];
};

/** Running text, such as a spoken line or a toggle's label. */
export const renderInline = (nodes: readonly PhrasingContent[]): ElementContent[] => {
  const tree = toHast({ type: 'paragraph', children: [...nodes] }, { handlers: HANDLERS });
  return tree.type === 'element' ? tree.children : [];
};

/** The page's own title is its only h1. */
export const headingTag = (depth: number): string => `h${Math.max(2, depth)}`;

const isElement = (node: ElementContent | undefined, tagName: string): node is Element =>
  node?.type === 'element' && node.tagName === tagName;

const ALERT_ICONS: Readonly<Record<Alert, string>> = {
  note: 'ℹ️',
  tip: '💡',
  important: '❗',
  warning: '⚠️',
  caution: '🛑',
};

const HANDLERS: Handlers = {
  html: () => undefined,
  text: (_state, node) => withGaps(node.value),
  code: (_state, node) => el('pre', {}, [el('code', {}, [`${node.value}\n`])]),
  heading: (state, node) => el(headingTag(node.depth), {}, state.all(node)),
  link(state, node) {
    const href = safeLink(node.url);
    return el(href ? 'a' : 'span', href ? { href, rel: ['noopener', 'noreferrer'] } : {}, state.all(node));
  },
  image(_state, node) {
    const src = safeImage(node.url);
    const alt: string = node.alt ?? '';
    return src ? el('img', { src, alt, loading: 'lazy', decoding: 'async' }) : el('span', {}, [alt]);
  },
  blockquote(state, node) {
    const alert: Alert | undefined = node.data?.alert;
    const children = state.wrap(state.all(node), true);
    return alert ? callout(ALERT_ICONS[alert], children, alert) : el('blockquote', {}, children);
  },
  table(state, node) {
    const table = defaultHandlers.table(state, node);
    const headerless = node.data?.headerless === true;
    for (const part of table.children) {
      if (part.type !== 'element') continue;
      if (headerless) part.tagName = 'tbody';
      for (const row of part.children) if (isElement(row, 'tr')) scopeCells(row, headerless);
    }
    return el('div', { className: ['table'], tabIndex: 0, role: 'region', ariaLabel: 'Table' }, [table]);
  },
  listItem(state, node, parent) {
    const item = defaultHandlers.listItem(state, node, parent);
    if (typeof node.checked !== 'boolean') return item;
    const paragraph = item.children.find((child) => isElement(child, 'p'));
    const box = [...item.children, ...(isElement(paragraph, 'p') ? paragraph.children : [])].find((child) =>
      isElement(child, 'input'),
    );
    if (isElement(box, 'input')) box.properties.ariaLabel = node.checked ? 'Done' : 'To do';
    return item;
  },
};

const tintedHeading: Handlers = {
  heading: (state, node) =>
    el(headingTag(node.depth), node.depth > 3 ? {} : { className: [`tint-h${node.depth}`] }, state.all(node)),
};

/** `____` keeps its underscores for the eye; a screen reader says one word. */
const withGaps = (text: string): ElementContent[] =>
  text
    .split(/(_{3,})/)
    .filter((part) => part !== '')
    .map((part) =>
      part.startsWith('___')
        ? el('span', { className: ['gap'], role: 'img', ariaLabel: 'blank' }, [part])
        : { type: 'text', value: part },
    );

const scopeCells = (row: Element, headerless: boolean): void => {
  for (const cell of row.children)
    if (isElement(cell, 'th')) {
      if (headerless) cell.tagName = 'td';
      else cell.properties.scope = 'col';
    }
};

export const callout = (icon: string | null, children: readonly Child[], kind = 'note'): Element =>
  el('div', { className: ['callout'], role: 'note', ariaLabel: kind }, [
    el('span', { className: ['callout-icon'], ariaHidden: 'true' }, [icon ?? '💬']),
    el('div', { className: ['callout-text'] }, children),
  ]);
