import { isFullPage, isFullUser } from '@notionhq/client';
import { RunError } from '../../pipeline/run-error.ts';
import { PAGE_SIZE } from './limits.ts';
import { everyPage, type NotionApi } from './notion-api.ts';
import type { Lookup } from './page-properties.ts';
import { dataSourceById, titleProperty } from './target.ts';

/** A student found this long ago is looked up again, in ms. */
const MAX_AGE_MS = 300_000;
const MAX_KNOWN = 1_000;
const MAX_USER_PAGES = 10;

const same = (a: string, b: string) => a.trim().toLowerCase() === b.trim().toLowerCase();

const plain = (runs: readonly { readonly plain_text: string }[]) =>
  runs.map(({ plain_text }) => plain_text).join('');

/** The one page of that title; null for none, and for several, since a wrong link is worse than none. */
const pageTitled = async (api: NotionApi, dataSourceId: string, title: string): Promise<string | null> => {
  const source = await dataSourceById(api, dataSourceId);
  if (!source) return null;
  const answer = await api.find((client) =>
    client.dataSources.query({
      data_source_id: dataSourceId,
      filter: { property: titleProperty(source), title: { equals: title } },
      page_size: 10,
    }),
  );
  const matches = (answer?.results ?? [])
    .filter((each) => each.object === 'page')
    .filter(isFullPage)
    .filter(
      (page) =>
        !page.in_trash &&
        Object.values(page.properties).some(
          (property) => property.type === 'title' && same(plain(property.title), title),
        ),
    );
  return matches.length === 1 ? (matches[0]?.id ?? null) : null;
};

const personNamed = async (api: NotionApi, name: string): Promise<string | null> => {
  const matches: string[] = [];
  const users = everyPage(
    (start) => api.find((client) => client.users.list({ page_size: PAGE_SIZE, ...start })),
    MAX_USER_PAGES,
  );
  for await (const user of users)
    if (isFullUser(user) && user.type === 'person' && user.name && same(user.name, name))
      matches.push(user.id);
  return matches.length === 1 ? (matches[0] ?? null) : null;
};

export type Lookups = { readonly with: (api: NotionApi) => Lookup };

/**
 * Finds students by name. `studentsDataSource` is where to look when the database does not say it itself. What Notion
 * refuses to show counts as not found: a page without its student is still the lesson.
 */
export const lookups = (studentsDataSource: string | null, now: () => number): Lookups => {
  const known = new Map<string, { readonly id: string; readonly at: number }>();
  const remembered = async (key: string, find: () => Promise<string | null>): Promise<string | null> => {
    const seen = known.get(key);
    if (seen && now() - seen.at < MAX_AGE_MS) return seen.id;
    const id = await find().catch((error: unknown) => {
      if (error instanceof RunError && !error.retryable && error.code !== 'notion_unauthorized') return null;
      throw error;
    });
    known.delete(key);
    if (id) known.set(key, { id, at: now() });
    const [oldest] = known.keys();
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    return id;
  };
  return {
    with: (api) => ({
      student: async (name, dataSourceId) => {
        const source = dataSourceId ?? studentsDataSource;
        if (!source) return null;
        return remembered(`${source} ${name}`, () => pageTitled(api, source, name));
      },
      person: (name) => remembered(`person ${name}`, () => personNamed(api, name)),
    }),
  };
};
