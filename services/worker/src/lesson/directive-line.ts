export const DIRECTIVES = [
  'study-text',
  'toggle-heading',
  'toggle-h1',
  'toggle-h2',
  'toggle-h3',
  'callout',
  'column-list',
  'column',
  'synced-block',
  'toc',
  'audio',
  'video',
] as const;

export type DirectiveName = (typeof DIRECTIVES)[number];

/** A line that begins with `:::`. `oddly` when it was understood though not written as it should be. */
export type DirectiveLine =
  | {
      readonly kind: 'open';
      readonly name: DirectiveName;
      readonly argument: string;
      readonly oddly: boolean;
      readonly indented: boolean;
    }
  | { readonly kind: 'open-unknown'; readonly name: string }
  | { readonly kind: 'close'; readonly oddly: boolean; readonly indented: boolean };

/** Null for a line that is no directive. `::: callout` and `:::callout💡` are read, `::: end` and `::::` close. */
export const readDirective = (text: string): DirectiveLine | null => {
  const match = /^([ \t]*):::([ \t]*)([A-Za-z][A-Za-z0-9-]*)?(.*)$/.exec(text);
  if (!match) return null;
  const [, indent = '', gap = '', word, rest = ''] = match;
  const indented = indent !== '';
  const name = DIRECTIVES.find((known) => known === word?.toLowerCase());
  if (name) {
    const glued = rest !== '' && !/^[ \t]/.test(rest);
    return { kind: 'open', name, argument: rest.trim(), oddly: gap !== '' || glued, indented };
  }
  if (word && gap === '') return { kind: 'open-unknown', name: word };
  return { kind: 'close', oddly: word !== undefined || rest.trim() !== '', indented };
};
