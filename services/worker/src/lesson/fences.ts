/** A line that may open or close a fenced block: three or more backticks or tildes. */
export type FenceMark = { readonly char: string; readonly length: number; readonly info: string };

/** Code inside directives is often indented with them, so any indent counts. */
export const fenceMark = (text: string): FenceMark | null => {
  const match = /^[ \t]*(`{3,}|~{3,})(.*)$/.exec(text);
  const run = match?.[1];
  const info = match?.[2]?.trim() ?? '';
  if (!run || (run.startsWith('`') && info.includes('`'))) return null;
  return { char: run.charAt(0), length: run.length, info };
};

/** CommonMark: a closing fence is at least as long as its opener, of the same kind, and has no info word. */
export const closes = (mark: FenceMark | null, opener: FenceMark): boolean =>
  mark !== null && mark.info === '' && mark.char === opener.char && mark.length >= opener.length;
