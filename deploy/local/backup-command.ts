import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BackupRefused, type backUp, type Place, type restore } from './mongo-backup.ts';
import type { StackInfo } from './stack.ts';

const USAGE = `usage: npm run backup -- FOLDER
       npm run restore -- FOLDER
Reads or fills the database MONGODB_DB (esl) at MONGODB_URL, and the blob store in BLOB_DIR if that is set.
Without MONGODB_URL: those of the stack that runs in ESL_HOME (.esl).`;

/** What the stack of this machine uses, if it runs. */
const localPlace = async (): Promise<Place> => {
  const home = resolve(process.env.ESL_HOME ?? '.esl');
  const text = await readFile(join(home, 'stack.json'), 'utf8').catch(() => null);
  if (text === null) throw new BackupRefused(`MONGODB_URL is not set, and no stack runs in ${home}`);
  const { mongo } = JSON.parse(text) as StackInfo;
  return { url: mongo.url, database: 'esl', blobDir: join(home, 'blobs') };
};

/** Runs one of the two, as the command line and the environment say. */
export const runCommand = async (work: typeof backUp | typeof restore): Promise<void> => {
  const { MONGODB_URL: url, MONGODB_DB: database = 'esl', BLOB_DIR: blobDir = null } = process.env;
  const [folder, ...others] = process.argv.slice(2);
  try {
    if (!folder || others.length > 0) throw new BackupRefused(USAGE);
    const place = url ? { url, database, blobDir } : await localPlace();
    const { collections, blobs } = await work(place, resolve(folder));
    for (const { name, documents } of collections) console.log(`${name}: ${documents} documents`);
    console.log(blobs ? `blobs: ${blobs.files} files` : 'blobs: not part of it');
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
};
