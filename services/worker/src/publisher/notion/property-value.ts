import type { Plain } from '../../lesson/yaml.ts';
import { MAX_OPTION_NAME, MAX_OPTIONS, MAX_RUNS, MAX_URL } from './limits.ts';
import { plainRuns } from './rich-text.ts';
import type { PropertyShape } from './target.ts';

/** A property's value as the API takes it. */
export type PropertyValue = Readonly<Record<string, unknown>>;

/** A value that its property cannot hold; says why, for a person. */
export type Unfit = { readonly unfit: string };

const isScalar = (value: Plain): value is string | number | boolean =>
  ['string', 'number', 'boolean'].includes(typeof value);

const itemsOf = (value: Plain): string[] | null => {
  const items = Array.isArray(value) ? value : [value];
  return items.every(isScalar) ? items.map((item) => String(item).trim()).filter(Boolean) : null;
};

/** Notion keeps commas out of the names of options. */
const optionName = (text: string): string =>
  text
    .replace(/\s*,\s*/g, ' / ')
    .trim()
    .slice(0, MAX_OPTION_NAME);

const DATE = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/;
const isDate = (text: string | undefined): text is string =>
  text !== undefined && DATE.test(text) && Number.isFinite(Date.parse(text));
const ID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

const isWebAddress = (text: string): boolean =>
  text.length <= MAX_URL && URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);

type Reader = (items: readonly string[], shape: PropertyShape) => PropertyValue | Unfit;

const one =
  (read: (text: string, shape: PropertyShape) => PropertyValue | Unfit): Reader =>
  (items, shape) =>
    read(items.join(', '), shape);

const YES: ReadonlySet<string> = new Set(['true', 'yes', 'on', '1']);
const NO: ReadonlySet<string> = new Set(['false', 'no', 'off', '0']);

/** What each type of property takes. A type that is not here is filled by Notion itself. */
const READERS: Readonly<Record<string, Reader>> = {
  title: one((text) => ({ title: plainRuns(text).slice(0, MAX_RUNS) })),
  rich_text: one((text) => ({ rich_text: plainRuns(text).slice(0, MAX_RUNS) })),
  select: one((text) => ({ select: { name: optionName(text) } })),
  status: one((text, { options }) => {
    const name = options.find((option) => option.toLowerCase() === text.toLowerCase());
    return name ? { status: { name } } : { unfit: `it must be one of ${options.join(', ')}` };
  }),
  multi_select: (items) => {
    const names = new Set(
      items
        .flatMap((item) => item.split(','))
        .map(optionName)
        .filter(Boolean),
    );
    return { multi_select: [...names].slice(0, MAX_OPTIONS).map((name) => ({ name })) };
  },
  number: one((text) =>
    Number.isFinite(Number(text)) ? { number: Number(text) } : { unfit: 'it must be a number' },
  ),
  checkbox: one((text) => {
    const word = text.toLowerCase();
    if (!YES.has(word) && !NO.has(word)) return { unfit: 'it must be yes or no' };
    return { checkbox: YES.has(word) };
  }),
  url: one((text) => (isWebAddress(text) ? { url: text } : { unfit: 'it must be a web address' })),
  email: one((text) =>
    /^[^\s@]+@[^\s@]+$/.test(text) ? { email: text } : { unfit: 'it must be an e-mail address' },
  ),
  phone_number: one((text) =>
    text.length <= 200 ? { phone_number: text } : { unfit: 'it is too long for a phone number' },
  ),
  date: one((text) => {
    const [start, end, ...more] = text.split('/').map((part) => part.trim());
    const isPeriod = end !== undefined;
    if (!isDate(start) || (isPeriod && !isDate(end)) || more.length > 0)
      return { unfit: 'it must be a date such as 2026-09-30' };
    return { date: { start, ...(isPeriod && { end }) } };
  }),
  files: (items) =>
    items.every(isWebAddress)
      ? { files: items.map((url) => ({ name: new URL(url).pathname.slice(-100), external: { url } })) }
      : { unfit: 'it must be web addresses' },
  relation: (items) =>
    items.every((item) => ID.test(item))
      ? { relation: items.slice(0, MAX_OPTIONS).map((id) => ({ id })) }
      : { unfit: 'it must be ids of pages' },
  people: (items) =>
    items.every((item) => ID.test(item))
      ? { people: items.slice(0, MAX_OPTIONS).map((id) => ({ id })) }
      : { unfit: 'it must be ids of people' },
};

/** Null for nothing to write: an empty value, as is left open in a lesson. */
export const propertyValue = (value: Plain, shape: PropertyShape): PropertyValue | Unfit | null => {
  if (value === null || value === '') return null;
  const items = itemsOf(value);
  if (!items) return { unfit: 'it must be a text or a list of texts' };
  if (items.length === 0) return null;
  const read = Object.hasOwn(READERS, shape.type) ? READERS[shape.type] : undefined;
  return read ? read(items, shape) : { unfit: 'Notion fills it by itself' };
};

type Named = { readonly name?: string; readonly id?: string };

/** A property's value without what Notion adds, so that what was written and what is there can be compared. */
const saidBy = (value: PropertyValue): unknown => {
  for (const type of ['title', 'rich_text'])
    if (Array.isArray(value[type]))
      return (value[type] as { text?: { content?: string }; plain_text?: string }[])
        .map((run) => run.text?.content ?? run.plain_text ?? '')
        .join('');
  for (const type of ['select', 'status'])
    if (type in value) return (value[type] as Named | null)?.name ?? null;
  if (Array.isArray(value.multi_select))
    return (value.multi_select as Named[]).map(({ name }) => name).sort();
  for (const type of ['relation', 'people'])
    if (Array.isArray(value[type]))
      return (value[type] as Named[]).map(({ id }) => id?.replaceAll('-', '')).sort();
  if ('date' in value) {
    const date = value.date as { start?: string; end?: string | null } | null;
    return [date?.start ?? null, date?.end ?? null];
  }
  if (Array.isArray(value.files))
    return (value.files as { external?: { url?: string } }[]).map(({ external }) => external?.url ?? null);
  for (const type of ['number', 'checkbox', 'url', 'email', 'phone_number'])
    if (type in value) return value[type];
  return undefined;
};

export const isSameProperty = (wanted: PropertyValue, standing: PropertyValue | undefined): boolean =>
  standing !== undefined && JSON.stringify(saidBy(wanted)) === JSON.stringify(saidBy(standing));
