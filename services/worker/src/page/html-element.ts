import type { Element, ElementContent, Properties } from 'hast';

export type Child = ElementContent | string | null;

/** An HTML element. Strings become text and are escaped when the page is written: nothing here is ever markup. */
export const el = (
  tagName: string,
  properties: Properties = {},
  children: readonly Child[] = [],
): Element => ({
  type: 'element',
  tagName,
  properties,
  children: children
    .filter((child) => child !== null)
    .map((child) => (typeof child === 'string' ? { type: 'text', value: child } : child)),
});
