import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Binary, Double, Int32, Long, MongoClient, ObjectId } from 'mongodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { backUp, type Place, restore } from '../mongo-backup.ts';

let client: MongoClient;
beforeAll(async () => {
  client = await new MongoClient(inject('mongoUrl')).connect();
});
afterAll(() => client.close());

let home: string;
let from: Place;
let to: Place;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'esl-backup-'));
  const place = (name: string): Place => ({
    url: inject('mongoUrl'),
    database: `test_${randomUUID().replaceAll('-', '')}`,
    blobDir: join(home, name),
  });
  from = place('from');
  to = place('to');
  await mkdir(join(home, 'from/pages'), { recursive: true });
  await writeFile(join(home, 'from/pages/a.html'), 'page');
  await client.db(from.database).collection('empty').createIndex({ a: 1 });
  const jobs = client.db(from.database).collection('jobs');
  await jobs.createIndex({ at: 1 }, { name: 'due', partialFilterExpression: { state: 'queued' } });
  await jobs.insertMany([
    {
      at: new Date(0),
      id: new ObjectId(),
      n: [new Int32(1), new Double(1), Long.fromString('9007199254740993')],
    },
    { at: null, bytes: new Binary(Buffer.from([0, 255])), text: 'ä\0', inside: { deep: [{}, []] } },
  ]);
});
afterEach(async () => {
  for (const { database } of [from, to]) await client.db(database).dropDatabase();
  await rm(home, { recursive: true, force: true });
});

const backup = () => join(home, 'backup');
const raw = async ({ database }: Place) => {
  const cursor = client.db(database).collection('jobs').find({}, { raw: true }).sort({ _id: 1 });
  return Buffer.concat((await cursor.toArray()) as unknown as Buffer[]).toString('hex');
};
const indexes = ({ database }: Place) => client.db(database).collection('jobs').indexes();

describe('a backup', () => {
  it('brings back every byte, index and file', async () => {
    const taken = await backUp(from, backup());
    expect(taken.collections.map(({ name, documents }) => [name, documents]).sort()).toEqual([
      ['empty', 0],
      ['jobs', 2],
    ]);
    await restore(to, backup());
    expect(await raw(to)).toBe(await raw(from));
    expect(await indexes(to)).toEqual(await indexes(from));
    expect(await readFile(join(home, 'to/pages/a.html'), 'utf8')).toBe('page');
  });

  it('is of one moment, whatever is written meanwhile', async () => {
    const db = client.db(from.database);
    await db.collection('a').insertOne({ pair: 0 });
    await db.collection('b').insertOne({ pair: 0 });
    let isOver = false;
    const write = async () => {
      for (let pair = 1; !isOver; pair += 1) {
        // `a` first: at no moment does `b` hold more pairs.
        await db.collection('a').insertOne({ pair });
        await db.collection('b').insertOne({ pair });
      }
    };
    const writing = write();
    const { collections } = await backUp(from, backup());
    isOver = true;
    await writing;
    const count = (name: string) => collections.find((each) => each.name === name)?.documents ?? -1;
    expect([0, 1]).toContain(count('a') - count('b'));
  });

  it('is not taken into a folder that holds something', async () => {
    await mkdir(backup());
    await writeFile(join(backup(), 'other'), '');
    await expect(backUp(from, backup())).rejects.toThrow('not empty');
  });
});

describe('a restore', () => {
  it.each([
    ['a changed byte', () => appendFile(join(backup(), 'jobs.bson'), Buffer.from([5, 0, 0, 0, 0]))],
    ['half a document', () => appendFile(join(backup(), 'jobs.bson'), Buffer.from([5, 0, 0]))],
    ['a missing file', () => rm(join(backup(), 'blobs/pages/a.html'))],
    ['a backup that was cut off', () => rm(join(backup(), 'backup.json'))],
  ])('refuses %s, and leaves the database empty', async (_, damage) => {
    await backUp(from, backup());
    await damage();
    await expect(restore(to, backup())).rejects.toMatchObject({ name: 'BackupRefused' });
    expect(await client.db(to.database).listCollections().toArray()).toEqual([]);
  });

  it('refuses a database that holds something', async () => {
    await backUp(from, backup());
    await client.db(to.database).collection('jobs').insertOne({ mine: true });
    await expect(restore(to, backup())).rejects.toThrow('is not empty');
    expect(await client.db(to.database).collection('jobs').countDocuments()).toBe(1);
  });
});
