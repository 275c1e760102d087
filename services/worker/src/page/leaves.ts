import type { Element, ElementContent, RootContent as HastContent, Nodes as HastNodes } from 'hast';
import type { Nodes, RootContent } from 'mdast';
import { defaultHandlers, type State, toHast } from 'mdast-util-to-hast';
import { el, wordsOf } from './element.ts';

/** Markdown of the lesson as elements of the page: no raw HTML, only safe links and pictures, gaps said aloud. */
export const renderLeaves = (nodes: readonly RootContent[]): ElementContent[] => {
  const tree = toHast({ type: 'root', children: [...nodes] }, { handlers: { table, blockquote } });
  return contentOf(tree).flatMap((node) => makeSafe(node, false));
};

const contentOf = (tree: HastNodes): HastContent[] => (tree.type === 'root' ? tree.children : []);

const table = (state: State, node: Extract<Nodes, { type: 'table' }>): Element => {
  const element = defaultHandlers.table(state, node);
  const rows = element.children.flatMap((part) => (part.type === 'element' ? part.children : []));
  if (!node.data?.headerless) return element;
  for (const row of rows)
    for (const cell of row.type === 'element' ? row.children : [])
      if (cell.type === 'element') cell.tagName = 'td';
  return el('table', {}, el('tbody', {}, rows));
};

const ALERT_ICONS = { note: 'ℹ️', tip: '💡', important: '❗', warning: '⚠️', caution: '🛑' } as const;

const blockquote = (state: State, node: Extract<Nodes, { type: 'blockquote' }>): Element => {
  const alert = node.data?.alert;
  const element = defaultHandlers.blockquote(state, node);
  return alert ? callout(ALERT_ICONS[alert], element.children) : element;
};

export const callout = (icon: string | null, children: readonly ElementContent[]): Element =>
  el(
    'div',
    { className: ['callout'], role: 'note' },
    el('span', { ariaHidden: 'true' }, icon ?? '💡'),
    el('div', {}, children),
  );

export const isSafeLink = (url: string): boolean => /^(?:https?:\/\/|mailto:)[^\s<>"]+$/i.test(url);

const isSafeImage = (url: string): boolean => /^https:\/\/[^\s<>"]+$/i.test(url);

const makeSafe = (node: HastContent, inCode: boolean): ElementContent[] => {
  if (node.type === 'text') return inCode ? [node] : splitGaps(node.value);
  if (node.type !== 'element') return [];
  const { tagName, properties } = node;
  const children = node.children.flatMap((child) => makeSafe(child, inCode || tagName === 'code'));
  if (tagName === 'a') {
    const href = String(properties.href ?? '');
    return isSafeLink(href) ? [el('a', { href, rel: ['noopener', 'noreferrer'] }, children)] : children;
  }
  if (tagName === 'img') {
    const src = String(properties.src ?? '');
    const alt = String(properties.alt ?? '');
    return [
      isSafeImage(src)
        ? el('img', { src, alt, loading: 'lazy', referrerPolicy: 'no-referrer' })
        : el('span', { className: ['note'] }, alt || 'picture'),
    ];
  }
  const element = { ...node, children };
  if (tagName === 'th') return [{ ...element, properties: { ...properties, scope: 'col' } }];
  if (tagName === 'input')
    return [el('input', { type: 'checkbox', checked: properties.checked === true, ariaLabel: 'Done' })];
  if (tagName === 'li' && children[0]?.type === 'element' && children[0].tagName === 'input')
    children[0].properties.ariaLabel = wordsOf(element).trim() || 'Done';
  if (tagName === 'table')
    return [
      el(
        'div',
        { className: ['scroll'], role: 'region', ariaLabel: 'Table', tabIndex: 0 },
        {
          ...element,
          children: children.filter((child) => child.type === 'element'),
        },
      ),
    ];
  return [element];
};

/** `____` keeps its underscores for the eye and is one word for a screen reader. */
const splitGaps = (text: string): ElementContent[] =>
  text
    .split(/(_{3,})/)
    .filter((part) => part !== '')
    .map((part) =>
      part.startsWith('___')
        ? el('span', { className: ['gap'], role: 'img', ariaLabel: 'blank' }, part)
        : { type: 'text', value: part },
    );
