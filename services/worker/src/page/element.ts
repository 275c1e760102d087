import type { Element, ElementContent, Properties } from 'hast';

export type Child = ElementContent | string | null | readonly Child[];

/** A hast element. Strings become text, and are escaped when the page is written. */
export const el = (tagName: string, properties: Properties = {}, ...children: readonly Child[]): Element => ({
  type: 'element',
  tagName,
  properties,
  children: children.flatMap(toContent),
});

const toContent = (child: Child): ElementContent[] => {
  if (child === null || child === '') return [];
  if (typeof child === 'string') return [{ type: 'text', value: child }];
  return isList(child) ? child.flatMap(toContent) : [child];
};

const isList = (child: Child): child is readonly Child[] => Array.isArray(child);

/** The words of an element. */
export const wordsOf = (node: ElementContent): string => {
  if (node.type === 'text') return node.value;
  return node.type === 'element' ? node.children.map(wordsOf).join('') : '';
};
