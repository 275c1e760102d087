import { randomBytes } from 'node:crypto';
import { buffer, text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';
import { type BlobStore, InvalidBlobKey, sha256 } from '../src/blob-store.ts';

export const forever = new AbortController().signal;
export const bytes = (body: string) => new TextEncoder().encode(body);
export const MP3 = { contentType: 'audio/mpeg' };

/** What every blob store does, wherever it keeps its blobs. */
export const blobStoreContract = (open: () => Promise<BlobStore>) => {
  let store: BlobStore;
  beforeAll(async () => {
    store = await open();
  });

  describe('a blob', () => {
    it('comes back whole and in part, with its length, type and tag', async () => {
      await store.put('audio/ab/x.mp3', bytes('0123456789'), MP3, forever);
      expect(await store.head('audio/ab/x.mp3', forever)).toEqual({
        bytes: 10,
        contentType: 'audio/mpeg',
        etag: expect.stringMatching(/^"[^"]+"$/),
      });
      expect(Buffer.from((await store.get('audio/ab/x.mp3', forever)) ?? []).toString()).toBe('0123456789');
      expect(await text(store.read('audio/ab/x.mp3', { start: 2, end: 4 }, forever))).toBe('234');
      expect(await text(store.read('audio/ab/x.mp3', { start: 9, end: 9 }, forever))).toBe('9');
    });

    it('may be empty, and may be of several megabytes', async () => {
      await store.put('lessons/empty.md', bytes(''), { contentType: 'text/markdown' }, forever);
      expect(await store.head('lessons/empty.md', forever)).toMatchObject({ bytes: 0 });
      expect(await store.get('lessons/empty.md', forever)).toHaveLength(0);
      const large = randomBytes(3 * 1024 * 1024);
      await store.put('audio/ab/large.mp3', large, MP3, forever);
      expect(sha256((await store.get('audio/ab/large.mp3', forever)) ?? '')).toBe(sha256(large));
      const part = store.read('audio/ab/large.mp3', { start: 1_000_000, end: 2_999_999 }, forever);
      expect((await buffer(part)).equals(large.subarray(1_000_000, 3_000_000))).toBe(true);
    });

    it('is replaced as a whole, under a new tag', async () => {
      await store.put('pages/p.html', bytes('<p>one</p>'), { contentType: 'text/html' }, forever);
      const before = await store.head('pages/p.html', forever);
      await store.put('pages/p.html', bytes('<p>second</p>'), { contentType: 'text/html' }, forever);
      const after = await store.head('pages/p.html', forever);
      expect(after?.bytes).toBe(13);
      expect(after?.etag).not.toBe(before?.etag);
    });

    it('may be put again, also at the same time', async () => {
      const body = bytes('the same');
      const key = `audio/aa/${sha256(body)}.mp3`;
      await Promise.all(Array.from({ length: 4 }, () => store.put(key, body, MP3, forever)));
      await store.put(key, body, MP3, forever);
      expect(Buffer.from((await store.get(key, forever)) ?? []).toString()).toBe('the same');
    });

    it('is gone once deleted, and deleting it again is quiet', async () => {
      await store.put('manifests/m.json', bytes('{}'), { contentType: 'application/json' }, forever);
      await store.delete('manifests/m.json', forever);
      await store.delete('manifests/m.json', forever);
      expect(await store.get('manifests/m.json', forever)).toBeNull();
      expect(await store.head('manifests/m.json', forever)).toBeNull();
    });
  });

  it('says null for what is not there, and cannot read it', async () => {
    expect(await store.get('audio/none.mp3', forever)).toBeNull();
    expect(await store.head('audio/none.mp3', forever)).toBeNull();
    await expect(text(store.read('audio/none.mp3', { start: 0, end: 1 }, forever))).rejects.toThrow();
  });

  it('stops with the signal, and leaves nothing behind', async () => {
    const stopped = AbortSignal.abort(new Error('stopped'));
    await expect(store.put('cut/a.mp3', bytes('x'), MP3, stopped)).rejects.toThrow();
    expect(await store.get('cut/a.mp3', forever)).toBeNull();
    await store.put('cut/b.mp3', bytes('x'), MP3, forever);
    await expect(store.get('cut/b.mp3', stopped)).rejects.toThrow();
  });

  it('lets go of a blob that its reader leaves in the middle', async () => {
    await store.put('audio/ab/left.mp3', randomBytes(1024 * 1024), MP3, forever);
    const stream = store.read('audio/ab/left.mp3', { start: 0, end: 1024 * 1024 - 1 }, forever);
    for await (const piece of stream) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(stream.destroyed).toBe(true);
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
    'a?b',
    `${'a/'.repeat(9)}b`,
  ])('refuses the key %j', async (key) => {
    await expect(store.get(key, forever)).rejects.toThrow(InvalidBlobKey);
    await expect(store.put(key, bytes('x'), MP3, forever)).rejects.toThrow(InvalidBlobKey);
    expect(() => store.read(key, { start: 0, end: 1 }, forever)).toThrow(InvalidBlobKey);
  });
};
