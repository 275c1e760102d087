// What a Markdown text says outside its code: fenced, indented and inline code is left out, by the rules of CommonMark
// (§4.4, §4.5, §6.1) as far as they decide what a reader's browser could take for markup. One pass, linear in the text.

// A marker in a marker in a marker … is looked through only so far: without an end, a line of them runs out of stack.
const FENCE = /^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+){0,16}(`{3,}|~{3,})([^\n]*)$/;
const LIST_ITEM = /^[ \t]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)/;
const INDENTED = /^(?: {4}| {0,3}\t)/;

const isClosing = (line: string, fence: string): boolean => {
  const text = line.replace(/^[ \t>]*/, '').trimEnd();
  return text.length >= fence.length && text === (fence[0] ?? '').repeat(text.length);
};

/** An info string after backticks holds none: otherwise the line is inline code. */
const openedFence = (line: string): string | null => {
  const [, fence, info = ''] = FENCE.exec(line) ?? [];
  return fence && !(fence.startsWith('`') && info.includes('`')) ? fence : null;
};

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** Where lines begin and end, without their ends: LF, CR or both. */
function* linesOf(text: string): Generator<{ readonly start: number; readonly end: number }> {
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code !== LINE_FEED && code !== CARRIAGE_RETURN) continue;
    yield { start, end: at };
    if (code === CARRIAGE_RETURN && text.charCodeAt(at + 1) === LINE_FEED) at += 1;
    start = at + 1;
  }
  yield { start, end: text.length };
}

/** Paragraphs and other blocks that are no code, in order. They are cut from the text: millions of lines take no memory. */
function* blocksOf(text: string): Generator<string> {
  let blockStart = -1;
  let blockEnd = -1;
  let fence: string | null = null;
  let wasBlank = true;
  let inCode = false;
  let inList = false;
  for (const { start, end } of linesOf(text)) {
    const line = text.slice(start, end);
    const isBlank = line.trim() === '';
    if (fence !== null) {
      if (isClosing(line, fence)) fence = null;
      wasBlank = false;
      continue;
    }
    fence = openedFence(line);
    // Indented text goes on a paragraph or a list item; only after a blank line, and outside lists, it is code.
    inCode = !isBlank && !inList && (inCode || wasBlank) && INDENTED.test(line);
    if (isBlank || fence !== null || inCode) {
      if (blockStart >= 0) yield text.slice(blockStart, blockEnd);
      blockStart = -1;
    } else {
      if (LIST_ITEM.test(line)) inList = true;
      else if (wasBlank && !/^[ \t]/.test(line)) inList = false;
      if (blockStart < 0) blockStart = start;
      blockEnd = end;
    }
    wasBlank = isBlank;
  }
  if (blockStart >= 0) yield text.slice(blockStart, blockEnd);
}

/** Whether the backtick at `index` is escaped: an odd number of backslashes stands before it. */
const isEscaped = (text: string, index: number): boolean => {
  let backslashes = 0;
  while (backslashes < 16 && text[index - 1 - backslashes] === '\\') backslashes += 1;
  return backslashes % 2 === 1;
};

const BACKTICK = 96;

/** Where runs of backticks begin, how long they are, and which later run is the next of the same length (-1: none). */
const backtickRuns = (block: string) => {
  const starts: number[] = [];
  const lengths: number[] = [];
  for (let at = block.indexOf('`'); at >= 0; at = block.indexOf('`', at)) {
    starts.push(at);
    while (block.charCodeAt(at) === BACKTICK) at += 1;
    lengths.push(at - (starts.at(-1) ?? 0));
  }
  const next: number[] = new Array(starts.length);
  const seen = new Map<number, number>();
  for (let run = starts.length - 1; run >= 0; run -= 1) {
    const length = lengths[run] ?? 0;
    next[run] = seen.get(length) ?? -1;
    seen.set(length, run);
  }
  return { starts, lengths, next };
};

/** A run of backticks opens code when a run of the same length follows in its block. */
const withoutInlineCode = (block: string): string => {
  const { starts, lengths, next } = backtickRuns(block);
  const kept: string[] = [];
  let at = 0;
  for (let run = 0; run < starts.length; run += 1) {
    const start = starts[run] ?? 0;
    const close = next[run] ?? -1;
    if (close < 0 || isEscaped(block, start)) continue;
    kept.push(block.slice(at, start));
    at = (starts[close] ?? 0) + (lengths[close] ?? 0);
    run = close;
  }
  kept.push(block.slice(at));
  return kept.join(' ');
};

/** The parts of a text that are no code. */
export function* outsideCode(text: string): Generator<string> {
  for (const block of blocksOf(text)) yield block.includes('`') ? withoutInlineCode(block) : block;
}
