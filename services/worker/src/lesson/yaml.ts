import { isAlias, isMap, isNode, isPair, isScalar, LineCounter, parseDocument, visit } from 'yaml';

/** A value as JSON knows it. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain };

export type YamlRead =
  | {
      readonly ok: true;
      readonly value: Plain;
      /** 1-based line, within the text, of the value at this path or of its nearest parent; 0 when there is neither. */
      readonly lineOf: (path: readonly PropertyKey[]) => number;
    }
  | { readonly ok: false; readonly line: number; readonly message: string };

const MAX_CHARACTERS = 32_000;
const MAX_DEPTH = 8;
const MAX_VALUES = 2_000;
const MAX_ALIASES = 50;

/**
 * Untrusted YAML to plain data: the core schema, no tags, no merge keys, no `__proto__`, bounded aliases, depth, size.
 * Nothing in it is ever run.
 */
export const readYaml = (text: string): YamlRead => {
  if (text.length > MAX_CHARACTERS || deepestFlow(text) > MAX_DEPTH) return TOO_MUCH;
  try {
    return readDocument(text);
  } catch (error) {
    // yaml throws ReferenceError for an alias bomb; RangeError is toPlain's, or the stack's for endless "- - - -".
    if (error instanceof ReferenceError || error instanceof RangeError) return TOO_MUCH;
    throw error;
  }
};

const TOO_MUCH: YamlRead = {
  ok: false,
  line: 1,
  message: 'It is too large, too deeply nested, or refers to itself.',
};

const readDocument = (text: string): YamlRead => {
  const lines = new LineCounter();
  const lineAt = (offset: number | undefined) => (offset === undefined ? 0 : lines.linePos(offset).line);
  const document = parseDocument(text, {
    schema: 'core',
    merge: false,
    stringKeys: true,
    prettyErrors: false,
    logLevel: 'error',
    lineCounter: lines,
  });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault)
    return { ok: false, line: lineAt(fault.pos[0]), message: EXPLAINED[fault.code] ?? `${fault.message}.` };

  const refused: { readonly line: number; readonly message: string }[] = [];
  let aliases = 0;
  visit(document, (_key, node) => {
    if (isPair(node) && isScalar(node.key) && (node.key.value === '__proto__' || node.key.value === '<<'))
      refused.push({
        line: lineAt(node.key.range?.[0]),
        message: `The key ${node.key.value} is not allowed.`,
      });
    if (isNode(node) && node.tag !== undefined)
      refused.push({ line: lineAt(node.range?.[0]), message: NO_TAGS });
    if (isAlias(node)) aliases += 1;
  });
  if (refused[0]) return { ok: false, ...refused[0] };
  if (aliases > MAX_ALIASES) return TOO_MUCH;
  const value = toPlain(document.toJS({ maxAliasCount: MAX_ALIASES }), MAX_DEPTH, { values: MAX_VALUES });
  return { ok: true, value, lineOf: (path) => lineAt(offsetOf(document.contents, path)) };
};

/** How deep brackets go, quotes ignored: the YAML parser recurses on them before anyone can look. */
const deepestFlow = (text: string): number => {
  let depth = 0;
  let deepest = 0;
  for (const char of text) {
    if (char === '[' || char === '{') depth += 1;
    else if ((char === ']' || char === '}') && depth > 0) depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
};

const toPlain = (value: unknown, depth: number, budget: { values: number }): Plain => {
  budget.values -= 1;
  if (depth < 0 || budget.values < 0) throw new RangeError('too much');
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map((item) => toPlain(item, depth - 1, budget));
  if (typeof value === 'object')
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, toPlain(item, depth - 1, budget)]),
    );
  return null;
};

const offsetOf = (root: unknown, path: readonly PropertyKey[]): number | undefined => {
  let node = root;
  let offset: number | undefined;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      if (!pair) break;
      offset = isScalar(pair.key) ? pair.key.range?.[0] : offset;
      node = pair.value;
    } else if (hasItems(node) && typeof step === 'number') {
      node = node.items[step];
      offset = rangeStart(node) ?? offset;
    } else break;
  }
  return offset;
};

const hasItems = (node: unknown): node is { items: readonly unknown[] } =>
  typeof node === 'object' && node !== null && 'items' in node && Array.isArray(node.items);

const rangeStart = (node: unknown): number | undefined =>
  typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)
    ? node.range[0]
    : undefined;

const NO_TAGS = 'Tags (words that start with !) are not allowed; put quotes around the value.';

const EXPLAINED: Readonly<Record<string, string>> = {
  BLOCK_AS_IMPLICIT_KEY: 'Put quotes around a value that has a colon in it, as in title: "Homework: Food".',
  DUPLICATE_KEY: 'The same key is there twice; keep one of them.',
  MISSING_CHAR: 'A closing quote, bracket or colon is missing.',
  TAB_AS_INDENT: 'Indent with spaces, not with tabs.',
  TAG_RESOLVE_FAILED: NO_TAGS,
  MULTIPLE_DOCS: 'It ends at a line ... and goes on after it; remove that line.',
  BAD_INDENT: 'The indent does not fit the lines around it.',
  NON_STRING_KEY: 'Every key must be plain text.',
  BAD_ALIAS: 'A value that starts with * or & needs quotes.',
  UNEXPECTED_TOKEN: 'Something is there that does not belong; put quotes around the value.',
};
