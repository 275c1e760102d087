import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { filesystemBlobStore } from '../src/blob-store.ts';
import { blobStoreContract, bytes, forever, MP3 } from './blob-store.contract.ts';

const folder = await mkdtemp(join(tmpdir(), 'blobs-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
const store = filesystemBlobStore(folder);

describe('the filesystem blob store', () => {
  blobStoreContract(async () => store);

  it('leaves no temporary file when a write is cut off', async () => {
    await expect(store.put('torn/a.mp3', bytes('x'), MP3, AbortSignal.abort())).rejects.toThrow();
    expect(await readdir(join(folder, 'torn'))).toEqual([]);
  });

  it('gives no links of its own: the gateway does', async () => {
    await store.put('audio/a.mp3', bytes('x'), MP3, forever);
    expect(await store.urlFor('audio/a.mp3', forever)).toBeNull();
    expect(store.providerOf('audio/a.mp3')).toBe('filesystem');
  });
});
