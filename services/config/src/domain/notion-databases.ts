import { byText, type Student } from './catalog.ts';

export type NotionDatabase = { readonly id: string; readonly name: string };

/** What the environment says about Notion. */
export type NotionSettings = {
  /** Without a token the worker publishes local pages. */
  readonly hasToken: boolean;
  /** NOTION_DB_OPTIONS. */
  readonly options: readonly NotionDatabase[];
  /** The database of jobs that name none. */
  readonly defaultDatabase: NotionDatabase | null;
};

export const LOCAL_PAGE: NotionDatabase = { id: 'local', name: 'Local page' };

/** Reads `id:name,id:name`. A name may hold colons; without a name the id stands for it. */
export const parseDatabaseOptions = (text: string): NotionDatabase[] =>
  text.split(',').flatMap((entry) => {
    const [, id = '', name = ''] = /^([^:]*):?(.*)$/s.exec(entry) ?? [];
    return id.trim() ? [{ id: id.trim(), name: name.trim() || id.trim() }] : [];
  });

const distinct = (databases: readonly NotionDatabase[]): NotionDatabase[] => {
  const byId = new Map<string, NotionDatabase>();
  for (const database of databases) if (!byId.has(database.id)) byId.set(database.id, database);
  return [...byId.values()];
};

const ofStudents = (students: readonly Student[]): NotionDatabase[] =>
  distinct(
    students.flatMap(({ name, notionDatabase }) => (notionDatabase ? [{ id: notionDatabase, name }] : [])),
  ).toSorted((a, b) => byText(a.name, b.name));

/**
 * The databases a form offers: the students', else those of the environment. Without a token the local publisher is in
 * use, so its page is offered first; the others stay, for people who bring a token of their own. With nothing
 * configured at all it is the one place that surely exists. An invented id would make the job fail.
 */
export const notionDatabases = (students: readonly Student[], settings: NotionSettings): NotionDatabase[] => {
  const sources = [
    ofStudents(students),
    distinct(settings.options),
    settings.defaultDatabase ? [settings.defaultDatabase] : [],
  ];
  const found = sources.find((databases) => databases.length > 0) ?? [];
  return settings.hasToken && found.length > 0 ? found : distinct([LOCAL_PAGE, ...found]);
};

/** Whether a job may name it: whatever is configured, offered or not. */
export const isKnownDatabase = (
  id: string,
  students: readonly Student[],
  { options, defaultDatabase }: NotionSettings,
): boolean =>
  id === LOCAL_PAGE.id ||
  id === defaultDatabase?.id ||
  options.some((database) => database.id === id) ||
  students.some((student) => student.notionDatabase === id);
