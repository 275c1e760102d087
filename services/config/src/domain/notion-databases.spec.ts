import { describe, expect, it } from 'vitest';
import { aStudent, notion } from '../../test/builders.ts';
import { isKnownDatabase, notionDatabases, parseDatabaseOptions } from './notion-databases.ts';

const students = [
  aStudent('Zoe', { notionDatabase: 'db-2' }),
  aStudent('Mira', { notionDatabase: 'db-1' }),
  aStudent('Noor', { notionDatabase: 'db-2' }),
  aStudent('Default'),
];
const primary = { id: 'db-9', name: 'Primary database' };
const local = { id: 'local', name: 'Local page' };

describe('the databases a form offers', () => {
  it('are those of the students, each once, by name', () => {
    expect(notionDatabases(students, notion({ options: [primary] }))).toEqual([
      { id: 'db-1', name: 'Mira' },
      { id: 'db-2', name: 'Zoe' },
    ]);
  });

  it('else those listed in the environment, else the default one', () => {
    const options = [{ id: 'db-5', name: 'Evening' }];
    expect(notionDatabases([], notion({ options, defaultDatabase: primary }))).toEqual(options);
    expect(notionDatabases([], notion({ defaultDatabase: primary }))).toEqual([primary]);
  });

  it('begin with the local page while there is no Notion token', () => {
    expect(notionDatabases(students, notion({ hasToken: false })).map(({ id }) => id)).toEqual([
      'local',
      'db-1',
      'db-2',
    ]);
  });

  it('are never invented: with nothing configured only the local page is left', () => {
    expect(notionDatabases([], notion())).toEqual([local]);
    expect(notionDatabases([], notion({ hasToken: false }))).toEqual([local]);
  });
});

describe('NOTION_DB_OPTIONS', () => {
  it('lists ids with names, which may hold colons or be missing', () => {
    expect(parseDatabaseOptions('a: Morning , b:Level: B1,c,, :x')).toEqual([
      { id: 'a', name: 'Morning' },
      { id: 'b', name: 'Level: B1' },
      { id: 'c', name: 'c' },
    ]);
  });
});

describe('a database a job names', () => {
  it('is known when it is local or configured anywhere', () => {
    const settings = notion({ options: [{ id: 'db-5', name: 'Evening' }], defaultDatabase: primary });
    for (const id of ['local', 'db-1', 'db-5', 'db-9'])
      expect(isKnownDatabase(id, students, settings)).toBe(true);
    for (const id of ['', 'Mira', 'db-77']) expect(isKnownDatabase(id, students, settings)).toBe(false);
  });
});
