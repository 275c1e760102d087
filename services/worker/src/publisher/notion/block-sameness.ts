import type { BlockObjectResponse } from '@notionhq/client';
import type { NotionBlock } from './block.ts';

/** A block of the page as it is: what it says, and where to change it. */
export type StandingBlock = {
  readonly id: string;
  readonly type: string;
  readonly value: Readonly<Record<string, unknown>>;
  readonly hasChildren: boolean;
  /** Who made it; undefined when Notion does not say. */
  readonly madeBy: string | undefined;
};

export const standingBlock = (answer: BlockObjectResponse): StandingBlock => ({
  id: answer.id,
  type: answer.type,
  value: (answer as unknown as Record<string, Record<string, unknown>>)[answer.type] ?? {},
  hasChildren: answer.has_children,
  madeBy: answer.created_by?.id,
});

type Sayable = Pick<NotionBlock, 'type' | 'value'>;

type LooseRun = {
  readonly type?: string;
  readonly text?: { readonly content?: string; readonly link?: { readonly url: string } | null };
  readonly plain_text?: string;
  readonly annotations?: Readonly<Record<string, unknown>>;
};

const STYLES = ['bold', 'italic', 'strikethrough', 'underline', 'code'] as const;

/** Text by style, however it was cut into pieces. What Notion made of it, such as a mention, equals no text of ours. */
const textSaid = (runs: unknown): readonly (readonly [string, string])[] => {
  const said: [string, string][] = [];
  for (const run of Array.isArray(runs) ? (runs as LooseRun[]) : []) {
    const { annotations = {}, text, type = 'text' } = run;
    const style = JSON.stringify([
      type,
      STYLES.map((name) => annotations[name] === true),
      annotations.color ?? 'default',
      text?.link?.url ?? null,
    ]);
    const content = text?.content ?? run.plain_text ?? '';
    const last = said.at(-1);
    if (last?.[1] === style) last[0] += content;
    else if (content !== '') said.push([content, style]);
  }
  return said;
};

const addressOf = (value: Sayable['value']): string | null => {
  const external = value.external as { readonly url?: string } | undefined;
  return external?.url ?? null;
};

/** What a block says besides its colour, in a form that does not depend on who wrote it. */
const said = ({ type, value }: Sayable): unknown[] => {
  switch (type) {
    case 'table_row':
      return [(Array.isArray(value.cells) ? value.cells : []).map(textSaid)];
    case 'table':
      return [value.has_column_header ?? false, value.has_row_header ?? false];
    case 'image':
    case 'audio':
    case 'video':
      return [addressOf(value), textSaid(value.caption)];
    case 'code':
      return [textSaid(value.rich_text), value.language];
    case 'to_do':
      return [textSaid(value.rich_text), value.checked ?? false];
    case 'callout':
      return [
        textSaid(value.rich_text),
        (value.icon as { emoji?: string } | null | undefined)?.emoji ?? null,
      ];
    default:
      return [textSaid(value.rich_text)];
  }
};

/** Notion changes these only by making the block anew. */
const fixed = ({ type, value }: Sayable): unknown[] => [
  type,
  value.table_width ?? null,
  value.is_toggleable ?? false,
  (value.synced_from as { block_id?: string } | null | undefined)?.block_id?.replaceAll('-', '') ?? null,
];

const colourOf = ({ value }: Sayable): string => (value.color as string | undefined) ?? 'default';

/** Equal for blocks that can become one another by an update. */
export const kindOf = (each: Sayable): string => JSON.stringify(fixed(each));

/** Equal for blocks that say the same, in whatever colour. */
export const wordsOf = (each: Sayable): string => JSON.stringify([fixed(each), said(each)]);

export const isSame = (a: Sayable, b: Sayable): boolean =>
  wordsOf(a) === wordsOf(b) && (!COLOURED.has(a.type) || colourOf(a) === colourOf(b));

/** Blocks that have a colour of their own. */
const COLOURED: ReadonlySet<string> = new Set([
  'paragraph',
  'heading_1',
  'heading_2',
  'heading_3',
  'heading_4',
  'bulleted_list_item',
  'numbered_list_item',
  'to_do',
  'toggle',
  'quote',
  'callout',
]);

/** What an update of a block sends: all of it but what cannot change, the colour included. */
export const updateOf = ({ type, value }: NotionBlock): Readonly<Record<string, unknown>> => {
  const { table_width: _, synced_from: __, type: ___, ...rest } = value;
  return { [type]: { ...rest, ...(COLOURED.has(type) && { color: value.color ?? 'default' }) } };
};
