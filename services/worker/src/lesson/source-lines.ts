/** A line after normalising; `number` is its 1-based line in the file as it was sent. */
export type SourceLine = { readonly text: string; readonly number: number };

/** About 60 printed pages; a usual lesson has two to six. Keeps the worst case for the Markdown parser short. */
export const MAX_CHARACTERS = 200_000;
export const MAX_LINES = 5_000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is replaced
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/**
 * The file's lines without what editors and chat tools leave in them: a BOM, CRLF, no-break and zero-width spaces,
 * control characters, halves of surrogate pairs. Null when there is more than a lesson may hold.
 */
export const toLines = (source: string): SourceLine[] | null => {
  if (source.length > MAX_CHARACTERS) return null;
  const lines = source
    .toWellFormed()
    .replace(/[\ufeff\u200b]/g, '')
    .replace(/\u00a0/g, ' ')
    .replace(/\r\n?/g, '\n')
    .replace(CONTROL, '\ufffd')
    .split('\n');
  return lines.length > MAX_LINES ? null : lines.map((text, index) => ({ text, number: index + 1 }));
};

export const isBlank = ({ text }: SourceLine): boolean => text.trim() === '';
