import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import { filesystemBlobStore, InvalidBlobKey } from '../src/blob-store.ts';

const folder = await mkdtemp(join(tmpdir(), 'blobs-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const store = filesystemBlobStore(folder);
const signal = new AbortController().signal;
const bytes = (body: string) => new TextEncoder().encode(body);

describe('the filesystem blob store', () => {
  it('gives back what was put, whole and in part, with its type', async () => {
    await store.put('audio/ab/x.mp3', bytes('0123456789'), { contentType: 'audio/mpeg' }, signal);
    expect(await store.head('audio/ab/x.mp3', signal)).toMatchObject({
      bytes: 10,
      contentType: 'audio/mpeg',
    });
    expect(new TextDecoder().decode((await store.get('audio/ab/x.mp3', signal)) ?? undefined)).toBe(
      '0123456789',
    );
    expect(await text(store.read('audio/ab/x.mp3', { start: 2, end: 4 }, signal))).toBe('234');
  });

  it('says null for what is not there, and deletes quietly', async () => {
    expect(await store.get('audio/none.mp3', signal)).toBeNull();
    expect(await store.head('audio/none.mp3', signal)).toBeNull();
    await store.delete('audio/none.mp3', signal);
  });

  it('leaves nothing behind when a write is cut off', async () => {
    await expect(
      store.put('cut/a.md', bytes('x'), { contentType: 'text/markdown' }, AbortSignal.abort()),
    ).rejects.toThrow();
    expect(await readdir(join(folder, 'cut'))).toEqual([]);
  });

  it.each([
    '../a',
    '/etc/passwd',
    'a//b',
    'a/../b',
    '.hidden',
    'a\0b',
    'a\\b',
    '',
    'a/',
    `${'a/'.repeat(9)}b`,
  ])('refuses the key %j', async (key) => {
    await expect(store.get(key, signal)).rejects.toThrow(InvalidBlobKey);
  });
});
