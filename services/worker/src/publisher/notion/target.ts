import { type DataSourceObjectResponse, isFullDatabase, isFullDataSource } from '@notionhq/client';
import { PAGE_SIZE } from './limits.ts';
import { everyPage, type NotionApi } from './notion-api.ts';
import { notionError } from './notion-error.ts';

export type PropertyShape = {
  readonly type: string;
  /** Names of a status's options, the only ones Notion takes. */
  readonly options: readonly string[];
  /** Where a relation's pages are. */
  readonly dataSourceId: string | null;
};

/** Where pages go, and what they can say there. */
export type Target = {
  readonly dataSourceId: string;
  readonly properties: ReadonlyMap<string, PropertyShape>;
};

/** A schema seen this long ago is read again, in ms. */
const MAX_AGE_MS = 300_000;
const MAX_KNOWN = 200;
const MAX_SEARCH_PAGES = 5;

const ID = /[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}/i;

/** An id as it is, or the one in the address of a page in the browser. */
const idIn = (text: string): string | null => {
  const whole = ID.exec(text)?.[0];
  if (whole === undefined) return null;
  return whole === text || URL.canParse(text) ? whole : null;
};

type Config = {
  readonly type: string;
  readonly status?: { readonly options?: readonly { readonly name: string }[] };
  readonly relation?: { readonly data_source_id?: string };
};

const targetOf = (found: Pick<DataSourceObjectResponse, 'id' | 'properties'>): Target => ({
  dataSourceId: found.id,
  properties: new Map(
    Object.entries(found.properties as Readonly<Record<string, Config>>).map(([name, config]) => [
      name,
      {
        type: config.type,
        options: config.status?.options?.map((option) => option.name) ?? [],
        dataSourceId: config.relation?.data_source_id ?? null,
      },
    ]),
  ),
});

const titleOf = ({ title }: Pick<DataSourceObjectResponse, 'title'>): string =>
  title.map((part) => part.plain_text).join('');

const unclear = (sources: readonly { readonly id: string; readonly name: string }[]) =>
  notionError('notion_data_source_unclear', {
    detail: `They are: ${sources.map(({ id, name }) => `${name} (${id})`).join(', ')}.`,
  });

export const dataSourceById = async (api: NotionApi, id: string): Promise<Target | null> => {
  const found = await api.find((client) => client.dataSources.retrieve({ data_source_id: id }));
  return found && isFullDataSource(found) && !found.in_trash ? targetOf(found) : null;
};

const byId = async (api: NotionApi, id: string): Promise<Target | null> => {
  const database = await api.find((client) => client.databases.retrieve({ database_id: id }));
  if (!database) return dataSourceById(api, id);
  if (!isFullDatabase(database) || database.in_trash) return null;
  const [only, ...others] = database.data_sources;
  if (others.length > 0) throw unclear(database.data_sources);
  return only ? dataSourceById(api, only.id) : null;
};

/** By title, ignoring case. Notion's search answers what is only similar, too. */
const byName = async (api: NotionApi, name: string): Promise<Target | null> => {
  const wanted = name.trim().toLowerCase();
  const found = new Map<string, DataSourceObjectResponse>();
  const sources = everyPage(
    (start) =>
      api.find((client) =>
        client.search({
          query: name,
          filter: { property: 'object', value: 'data_source' },
          page_size: PAGE_SIZE,
          ...start,
        }),
      ),
    MAX_SEARCH_PAGES,
  );
  for await (const each of sources)
    if (each.object === 'data_source' && isFullDataSource(each))
      if (!each.in_trash && titleOf(each).trim().toLowerCase() === wanted) found.set(each.id, each);
  const [only, ...others] = found.values();
  if (others.length > 0)
    throw unclear([...found.values()].map((each) => ({ id: each.id, name: titleOf(each) })));
  return only ? targetOf(only) : null;
};

export type Targets = {
  /** `isFresh`: asked just now, and not remembered. */
  readonly find: (
    api: NotionApi,
    database: string | null,
  ) => Promise<{ readonly target: Target; readonly isFresh: boolean }>;
  readonly forget: (database: string | null) => void;
};

/** Finds databases by id, address or name, and remembers their schemas for some minutes. */
export const targets = (now: () => number): Targets => {
  const known = new Map<string, { readonly target: Target; readonly at: number }>();
  return {
    find: async (api, database) => {
      if (!database)
        throw notionError('notion_database_missing', {
          detail: 'This job names none, and neither does the student’s profile.',
        });
      const seen = known.get(database);
      if (seen && now() - seen.at < MAX_AGE_MS) return { target: seen.target, isFresh: false };
      const id = idIn(database);
      const target = await (id ? byId(api, id) : byName(api, database));
      if (!target) throw notionError('notion_database_missing');
      known.delete(database);
      known.set(database, { target, at: now() });
      const [oldest] = known.keys();
      if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
      return { target, isFresh: true };
    },
    forget: (database) => void known.delete(database ?? ''),
  };
};

/** The property of that name, else of that name in other capitals. */
export const propertyNamed = (
  { properties }: Target,
  name: string,
): (PropertyShape & { name: string }) | null => {
  const exact = properties.get(name);
  if (exact) return { ...exact, name };
  const lower = name.toLowerCase();
  for (const [other, shape] of properties)
    if (other.toLowerCase() === lower) return { ...shape, name: other };
  return null;
};

export const titleProperty = ({ properties }: Target): string => {
  for (const [name, { type }] of properties) if (type === 'title') return name;
  return 'title';
};
