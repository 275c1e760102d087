// What Notion takes, written down apart from the adapter, from its reference: shapes, lengths, counts, nesting.

import { z } from 'zod';

const COLOURS = ['default', 'gray', 'brown', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'red'];
const colour = z.enum(COLOURS.flatMap((name) => [name, `${name}_background`]));

const LANGUAGES = (
  'abap|abc|agda|arduino|ascii art|assembly|bash|basic|bnf|c|c#|c++|clojure|coffeescript|coq|css|dart|dhall|diff|docker|' +
  'ebnf|elixir|elm|erlang|f#|flow|fortran|gherkin|glsl|go|graphql|groovy|haskell|hcl|html|idris|java|javascript|json|' +
  'julia|kotlin|latex|less|lisp|livescript|llvm ir|lua|makefile|markdown|markup|matlab|mathematica|mermaid|nix|' +
  'notion formula|objective-c|ocaml|pascal|perl|php|plain text|powershell|prolog|protobuf|purescript|python|r|racket|' +
  'reason|ruby|rust|sass|scala|scheme|scss|shell|smalltalk|solidity|sql|swift|toml|typescript|vb.net|verilog|vhdl|' +
  'visual basic|webassembly|xml|yaml|java/c/c++/c#'
).split('|');

export const id = z
  .string()
  .regex(/^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i, 'should be a valid uuid');

const address = z
  .string()
  .max(2_000)
  .refine((text) => URL.canParse(text) && /^(https?|mailto):$/.test(new URL(text).protocol), 'Invalid URL.');

const textRun = z.strictObject({
  type: z.literal('text').optional(),
  text: z.strictObject({
    content: z.string().max(2_000),
    link: z.strictObject({ url: address }).nullable().optional(),
  }),
  annotations: z
    .strictObject({
      bold: z.boolean().optional(),
      italic: z.boolean().optional(),
      strikethrough: z.boolean().optional(),
      underline: z.boolean().optional(),
      code: z.boolean().optional(),
      color: colour.optional(),
    })
    .optional(),
});
export const richText = z.array(textRun).max(100);

const emoji = z.string().regex(/^(\p{RGI_Emoji}|\p{Extended_Pictographic})$/v, 'should be an emoji');
const fileAddress = z.strictObject({ url: address.refine((text) => /^https?:/.test(text), 'Invalid URL.') });
export const icon = z.union([
  z.strictObject({ type: z.literal('emoji').optional(), emoji }),
  z.strictObject({ type: z.literal('external').optional(), external: fileAddress }),
]);
export const cover = z.strictObject({ type: z.literal('external').optional(), external: fileAddress });

const caption = { caption: richText.optional() };
const media = z.union([
  z.strictObject({ type: z.literal('external').optional(), external: fileAddress, ...caption }),
  z.strictObject({
    type: z.literal('file_upload').optional(),
    file_upload: z.strictObject({ id }),
    ...caption,
  }),
]);

const text = { rich_text: richText, color: colour.optional() };

/** Blocks without children of their own. */
const LEAVES = {
  divider: z.strictObject({}),
  breadcrumb: z.strictObject({}),
  table_of_contents: z.strictObject({ color: colour.optional() }),
  equation: z.strictObject({ expression: z.string().max(1_000) }),
  code: z.strictObject({ rich_text: richText, language: z.enum(LANGUAGES), ...caption }),
  image: media,
  video: media,
  audio: media,
  pdf: media,
  file: media,
  bookmark: z.strictObject({ url: address, ...caption }),
  embed: z.strictObject({ url: address, ...caption }),
} as const;

const HEADING = { ...text, is_toggleable: z.boolean().optional() };

/** Blocks that may have children. */
const PARENTS = {
  paragraph: text,
  heading_1: HEADING,
  heading_2: HEADING,
  heading_3: HEADING,
  heading_4: HEADING,
  bulleted_list_item: text,
  numbered_list_item: text,
  quote: text,
  toggle: text,
  to_do: { ...text, checked: z.boolean().optional() },
  callout: { ...text, icon: icon.optional() },
  synced_block: {
    synced_from: z.strictObject({ type: z.literal('block_id').optional(), block_id: id }).nullable(),
  },
} as const;

export const CAN_HAVE_CHILDREN: ReadonlySet<string> = new Set([
  ...Object.keys(PARENTS),
  'column',
  'table',
  'column_list',
]);

const row = z.strictObject({ cells: z.array(richText).max(100) });
const tableContent = z.strictObject({
  table_width: z.int().min(1),
  has_column_header: z.boolean().optional(),
  has_row_header: z.boolean().optional(),
});

const CONTENTS: Readonly<Record<string, z.ZodType>> = {
  ...LEAVES,
  ...Object.fromEntries(Object.entries(PARENTS).map(([type, content]) => [type, z.strictObject(content)])),
  table: tableContent,
  table_row: row,
  column_list: z.strictObject({}),
  column: z.strictObject({ width_ratio: z.number().optional() }),
};

/** Children a block must bring along. */
const LEAST: Readonly<Record<string, number>> = { table: 1, column_list: 2, column: 1 };

export type NewBlock = {
  readonly type: string;
  readonly value: Record<string, unknown>;
  readonly children: readonly NewBlock[];
};

type Fail = (path: readonly PropertyKey[], message: string) => never;

const record = z.record(z.string(), z.unknown());

/** "For blocks that allow children, we allow up to two levels of nesting in a single request." */
export const readNewBlocks = (
  given: unknown,
  fail: Fail,
  path: readonly PropertyKey[] = ['children'],
  below = 2,
): NewBlock[] => {
  if (!Array.isArray(given)) return fail(path, 'should be an array');
  if (given.length > 100) return fail(path, `length should be ≤ 100, instead was ${given.length}`);
  return given.map((each, index) => readNewBlock(each, fail, [...path, index], below));
};

const readNewBlock = (given: unknown, fail: Fail, path: readonly PropertyKey[], below: number): NewBlock => {
  const parsed = record.safeParse(given);
  if (!parsed.success) return fail(path, 'should be an object');
  const { object = 'block', type: named, ...rest } = parsed.data;
  const [type = '', ...more] = Object.keys(rest);
  const schema = CONTENTS[type];
  if (object !== 'block' || !schema || more.length > 0 || (named !== undefined && named !== type))
    return fail(path, `should be one kind of block, instead was ${[named, type, ...more].join(', ')}`);
  const content = record.safeParse(rest[type]);
  if (!content.success) return fail([...path, type], 'should be an object');
  const { children, ...value } = content.data;
  const checked = schema.safeParse(value);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    return fail([...path, type, ...(issue?.path ?? [])], issue?.message ?? 'invalid');
  }
  const least = LEAST[type] ?? 0;
  const count = Array.isArray(children) ? children.length : 0;
  if (count < least)
    return fail([...path, type, 'children'], `length should be ≥ ${least}, instead was ${count}`);
  if (children === undefined) return { type, value, children: [] };
  if (!CAN_HAVE_CHILDREN.has(type) || below === 0)
    return fail([...path, type, 'children'], 'should be not present');
  return { type, value, children: readNewBlocks(children, fail, [...path, type, 'children'], below - 1) };
};

/** Of one update; a block's type cannot change, nor can a table's width. */
export const blockUpdate = (type: string): z.ZodType => {
  const parents: Readonly<Record<string, z.ZodRawShape>> = PARENTS;
  const leaves: Readonly<Record<string, z.ZodType>> = LEAVES;
  const parent = parents[type];
  const content = parent
    ? z.strictObject(parent)
    : type === 'table_row'
      ? row
      : type === 'table'
        ? z.strictObject({
            has_column_header: z.boolean().optional(),
            has_row_header: z.boolean().optional(),
          })
        : ['image', 'video', 'audio', 'pdf', 'file'].includes(type)
          ? z.strictObject({
              ...caption,
              external: fileAddress.optional(),
              file_upload: z.strictObject({ id }).optional(),
              type: z.enum(['external', 'file_upload']).optional(),
            })
          : leaves[type];
  return z.strictObject({
    type: z.literal(type).optional(),
    in_trash: z.boolean().optional(),
    ...(content && { [type]: content.optional() }),
  });
};

export const position = z.union([
  z.strictObject({ type: z.literal('start') }),
  z.strictObject({ type: z.literal('end') }),
  z.strictObject({ type: z.literal('after_block'), after_block: z.strictObject({ id }) }),
]);

export const dataSourceParent = z.strictObject({
  type: z.literal('data_source_id').optional(),
  data_source_id: id,
});

const optionName = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^,]*$/, 'should not contain commas');
const option = z.union([z.strictObject({ name: optionName }), z.strictObject({ id: z.string() })]);
const day = z.string().refine((text) => /^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(Date.parse(text)));
const reference = z.strictObject({ id });

/** What the property of each type takes; one that Notion fills is not here. */
export const PROPERTY_VALUES: Readonly<Record<string, z.ZodType>> = {
  title: richText,
  rich_text: richText,
  number: z.number().nullable(),
  select: option.nullable(),
  status: option.nullable(),
  multi_select: z.array(option).max(100),
  checkbox: z.boolean(),
  url: z.string().max(2_000).nullable(),
  email: z.string().max(200).nullable(),
  phone_number: z.string().max(200).nullable(),
  date: z.strictObject({ start: day, end: day.nullable().optional() }).nullable(),
  relation: z.array(reference).max(100),
  people: z.array(reference).max(100),
  files: z.array(z.strictObject({ name: z.string().max(100), external: fileAddress })).max(100),
};

export const MAX_BODY_BYTES = 500 * 1_024;
export const MAX_BLOCKS = 1_000;
