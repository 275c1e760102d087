// The database in files, and back.
//   B1. All collections are read at one moment (a snapshot session): no job without its batch, no half of a change.
//   B2. `backup.json` is written last and holds the checksum of every file: a folder without it is no backup.
//   B3. Everything is checked before anything is restored, and only an empty database is restored into.
// The files are those of mongodump, so that mongorestore reads them too.

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BSON, type Db, MongoClient } from 'mongodb';

type CollectionFile = {
  readonly name: string;
  readonly documents: number;
  readonly bytes: number;
  readonly sha256: string;
};

export type Backup = {
  readonly format: 1;
  readonly takenAt: string;
  readonly database: string;
  readonly collections: readonly CollectionFile[];
  readonly blobs: { readonly files: number; readonly bytes: number } | null;
};

export type Place = { readonly url: string; readonly database: string; readonly blobDir: string | null };

/** It cannot be done, for a reason that its user can mend. */
export class BackupRefused extends Error {
  override name = 'BackupRefused';
}

const MANIFEST = 'backup.json';
const BLOBS = 'blobs';
const BATCH = 1_000;
const MAX_BATCH_BYTES = 16 * 1024 * 1024;
/** The largest document of MongoDB, and some air for what the server itself adds. */
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024 + 16 * 1024;

const withDatabase = async <T>({ url, database }: Place, work: (db: Db) => Promise<T>): Promise<T> => {
  const client = new MongoClient(url, {
    appName: 'backup',
    writeConcern: { w: 'majority', journal: true },
    serverSelectionTimeoutMS: 10_000,
  });
  try {
    await client.connect();
    return await work(client.db(database));
  } finally {
    await client.close();
  }
};

const sizeOf = async (folder: string): Promise<{ files: number; bytes: number }> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  let [files, bytes] = [0, 0];
  for (const entry of entries.filter((each) => each.isFile())) {
    files += 1;
    bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return { files, bytes };
};

const namesIn = async (db: Db): Promise<string[]> => {
  const collections = await db.listCollections({ type: 'collection' }, { nameOnly: true }).toArray();
  return collections.map(({ name }) => name).filter((name) => !name.startsWith('system.'));
};

const fileOf = (folder: string, name: string) => join(folder, `${name}.bson`);
const metadataOf = (folder: string, name: string) => join(folder, `${name}.metadata.json`);

/** Writes the database, and the files of a blob store on disk, into a new folder. Services may go on meanwhile. */
export const backUp = async (place: Place, folder: string): Promise<Backup> => {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw new BackupRefused(`${folder} is not empty`);
  const takenAt = new Date().toISOString();
  const collections = await withDatabase(place, async (db) => {
    const session = db.client.startSession({ snapshot: true });
    const done: CollectionFile[] = [];
    for (const name of await namesIn(db)) {
      const collection = db.collection(name);
      const hash = createHash('sha256');
      let [documents, bytes] = [0, 0];
      const cursor = collection.find({}, { session, raw: true, batchSize: BATCH });
      const read = async function* () {
        for await (const document of cursor as AsyncIterable<unknown>) {
          const raw = document as Uint8Array;
          documents += 1;
          bytes += raw.byteLength;
          hash.update(raw);
          yield raw;
        }
      };
      await pipeline(read, createWriteStream(fileOf(folder, name), { mode: 0o600, flush: true }));
      const indexes = await collection.indexes();
      const metadata = { indexes, collectionName: name, type: 'collection', options: {} };
      await writeFile(metadataOf(folder, name), BSON.EJSON.stringify(metadata), { flush: true });
      done.push({ name, documents, bytes, sha256: hash.digest('hex') });
    }
    await session.endSession();
    return done;
  });
  // After the database: what its documents name was stored before them.
  if (place.blobDir) await cp(place.blobDir, join(folder, BLOBS), { recursive: true });
  const blobs = place.blobDir ? await sizeOf(join(folder, BLOBS)) : null;
  const backup: Backup = { format: 1, takenAt, database: place.database, collections, blobs };
  const manifest = join(folder, MANIFEST);
  await writeFile(`${manifest}.new`, `${JSON.stringify(backup, null, 2)}\n`, { flush: true });
  await rename(`${manifest}.new`, manifest);
  return backup;
};

/** The documents of a file as they lie in it, each with its length in front (bsonspec.org). */
async function* documentsIn(file: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    rest = rest.length > 0 ? Buffer.concat([rest, chunk as Buffer]) : (chunk as Buffer);
    while (rest.length >= 4) {
      const length = rest.readInt32LE(0);
      if (length < 5 || length > MAX_DOCUMENT_BYTES) throw new BackupRefused(`${file} is damaged`);
      if (rest.length < length) break;
      yield rest.subarray(0, length);
      rest = rest.subarray(length);
    }
  }
  if (rest.length > 0) throw new BackupRefused(`${file} ends in the middle of a document`);
}

/** Reads a backup's list of contents and holds every file against it. */
export const checkBackup = async (folder: string): Promise<Backup> => {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch(() => null);
  if (text === null) throw new BackupRefused(`${folder} holds no complete backup`);
  const backup = JSON.parse(text) as Backup;
  if (backup.format !== 1) throw new BackupRefused(`${folder} is of a format that is not known here`);
  for (const { name, documents, sha256 } of backup.collections) {
    const hash = createHash('sha256');
    let count = 0;
    for await (const document of documentsIn(fileOf(folder, name))) {
      hash.update(document);
      count += 1;
    }
    if (count !== documents || hash.digest('hex') !== sha256)
      throw new BackupRefused(`${name}.bson is not what was backed up`);
  }
  if (backup.blobs) {
    const { files, bytes } = await sizeOf(join(folder, BLOBS)).catch(() => ({ files: -1, bytes: -1 }));
    if (files !== backup.blobs.files || bytes !== backup.blobs.bytes)
      throw new BackupRefused('the files of the blob store are not what was backed up');
  }
  return backup;
};

/** Numbers keep the type they have in the file: 1 and 1.0 are different things in BSON. */
const AS_STORED = { promoteValues: false, promoteLongs: false, promoteBuffers: false } as const;

const restoreCollection = async (db: Db, folder: string, name: string): Promise<void> => {
  const collection = await db.createCollection(name);
  let batch: BSON.Document[] = [];
  let bytes = 0;
  const flush = async () => {
    if (batch.length > 0) await collection.insertMany(batch, { ordered: false, ignoreUndefined: false });
    batch = [];
    bytes = 0;
  };
  for await (const raw of documentsIn(fileOf(folder, name))) {
    if (batch.length === BATCH || bytes + raw.length > MAX_BATCH_BYTES) await flush();
    batch.push(BSON.deserialize(raw, AS_STORED));
    bytes += raw.length;
  }
  await flush();
  const { indexes } = BSON.EJSON.parse(await readFile(metadataOf(folder, name), 'utf8')) as {
    indexes: { name: string }[];
  };
  const own = indexes.filter((index) => index.name !== '_id_');
  if (own.length > 0) await db.command({ createIndexes: name, indexes: own });
};

/** Brings a backup into an empty database, and its files into the blob store. No service may run meanwhile. */
export const restore = async (place: Place, folder: string): Promise<Backup> => {
  const backup = await checkBackup(folder);
  await withDatabase(place, async (db) => {
    for (const name of await namesIn(db)) {
      if (await db.collection(name).findOne({}, { projection: { _id: 1 } }))
        throw new BackupRefused(`the database ${place.database} is not empty: it has ${name}`);
      await db.collection(name).drop();
    }
    for (const { name } of backup.collections) await restoreCollection(db, folder, name);
  });
  if (place.blobDir && backup.blobs)
    await cp(join(folder, BLOBS), place.blobDir, { recursive: true, force: false });
  return backup;
};
