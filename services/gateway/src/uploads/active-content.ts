import { outsideCode } from './outside-code.ts';

/** What would run in a reader's browser. */
export type ActiveContent = 'script' | 'event_handler' | 'script_link';

/** A tag longer than this is looked at in parts. */
const MAX_TAG = 4_096;
const LINK_START = /\]\(|\]:|<(?=[\s&a-z])/gi;
const ATTRIBUTE_START = /=/g;
/** How far a scheme may reach, padding included. */
const SCHEME_WINDOW = 96;

const SCHEME_PADDING = 32;
const PADDING = /^[\p{C}\s"'<]$/u;
const FIRST = new Set('jJvVdD&');
/** No lesson has as many links that could run something; a text made to keep us busy has. */
const MAX_ASKED = 2_000;

const EVENT_HANDLER = /[\s"'/]on[a-z]{3,32}\s{0,16}=/i;
const SCRIPT = /<\s{0,4}\/?script(?![\w-])/i;
const SCHEME = /^(?:javascript|vbscript):|^data:(?:text\/html|image\/svg|application\/xhtml)/;

const ENTITIES: Readonly<Record<string, string>> = { tab: '\t', newline: '\n', colon: ':' };

/** Browsers decode entities in a link, and drop white space and control characters from its scheme. */
const schemeAt = (text: string): string =>
  text
    .replaceAll(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(tab|newline|colon));?/gi, (entity, hex, decimal, name) => {
      if (name) return ENTITIES[String(name).toLowerCase()] ?? entity;
      const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
      return code <= 0x10_ff_ff ? String.fromCodePoint(code) : entity;
    })
    .replaceAll(/[\p{C}\s"'<]/gu, '')
    .toLowerCase();

/** Whether a scheme of those may begin here: cheap, since a text may hold a million places to ask at. */
const mayBegin = (text: string, from: number): boolean => {
  for (let at = from; at < from + SCHEME_PADDING; at += 1) {
    const character = text[at] ?? '';
    if (PADDING.test(character)) continue;
    return FIRST.has(character);
  }
  return true;
};

const hasScriptLink = (text: string, starts: RegExp, asked: { times: number }): boolean => {
  for (const { 0: start, index } of text.matchAll(starts)) {
    const from = index + start.length;
    if (!mayBegin(text, from)) continue;
    asked.times += 1;
    if (asked.times > MAX_ASKED || SCHEME.test(schemeAt(text.slice(from, from + SCHEME_WINDOW)))) return true;
  }
  return false;
};

/** The tags of a text: from `<` and a letter to the `>` that no quotes hold. */
function* tagsIn(text: string): Generator<string> {
  const opening = /<[a-z]/gi;
  for (let found = opening.exec(text); found; found = opening.exec(text)) {
    let quote = '';
    let end = found.index + 1;
    const limit = Math.min(text.length, found.index + MAX_TAG);
    for (; end < limit; end += 1) {
      const character = text[end] ?? '';
      if (quote === '') {
        if (character === '>') break;
        if (character === '"' || character === "'") quote = character;
      } else if (character === quote) quote = '';
    }
    yield text.slice(found.index, end + 1);
    opening.lastIndex = end;
  }
}

const inBlock = (block: string, asked: { times: number }): ActiveContent | null => {
  if (SCRIPT.test(block)) return 'script';
  if (hasScriptLink(block, LINK_START, asked)) return 'script_link';
  for (const tag of tagsIn(block)) {
    if (EVENT_HANDLER.test(tag)) return 'event_handler';
    if (hasScriptLink(tag, ATTRIBUTE_START, asked)) return 'script_link';
  }
  return null;
};

/** The first thing outside code that a browser would run, or null. Words are only words: in prose, tables and code alike. */
export const activeContentIn = (text: string): ActiveContent | null => {
  const asked = { times: 0 };
  for (const block of outsideCode(text)) {
    const found = inBlock(block, asked);
    if (found) return found;
  }
  return null;
};
