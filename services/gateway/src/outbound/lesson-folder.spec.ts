import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BlobStore, filesystemBlobStore, sha256 } from '@esl/kit/blob-store';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { lessonFolder } from './lesson-folder.ts';

let home: string;
let root: string;
let puts: string[];
let find: ReturnType<typeof lessonFolder>;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'lesson-folder-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));
beforeEach(async () => {
  const place = await mkdtemp(join(home, 'case-'));
  root = join(place, 'lessons');
  await mkdir(join(root, 'unit'), { recursive: true });
  const store = filesystemBlobStore(join(place, 'blobs'));
  puts = [];
  const blobs: Pick<BlobStore, 'head' | 'put'> = {
    head: store.head,
    put: async (key, ...rest) => {
      puts.push(key);
      await store.put(key, ...rest);
    },
  };
  find = lessonFolder({ root, maxBytes: 100, blobs });
});

/** A file that was last changed long enough ago to be remembered. */
const writeSettled = async (name: string, text: string, changedAt = 1_000) => {
  await writeFile(join(root, name), text);
  await utimes(join(root, name), changedAt, changedAt);
};
const keyOf = (text: string) => `lessons/${sha256(text).slice(0, 2)}/${sha256(text)}.md`;

describe('a lesson of the folder', () => {
  it('is stored under the hash of its text', async () => {
    await writeSettled('unit/a.md', 'text');
    expect(await find('unit/a.md')).toBe(keyOf('text'));
    expect(await find('./unit//a.md')).toBe(keyOf('text'));
    expect(puts).toEqual([keyOf('text')]);
  });

  it('is stored once for many callers, and for equal texts', async () => {
    await writeSettled('a.md', 'same');
    await writeSettled('b.md', 'same');
    const keys = await Promise.all(Array.from({ length: 50 }, () => find('a.md')));
    expect(new Set(keys)).toEqual(new Set([keyOf('same')]));
    await find('b.md');
    expect(puts).toHaveLength(1);
  });

  it('is read anew after an edit, even one of the same length and time', async () => {
    await writeSettled('a.md', 'one');
    expect(await find('a.md')).toBe(keyOf('one'));
    await writeSettled('a.md', 'two');
    expect(await find('a.md')).toBe(keyOf('two'));
    await writeSettled('next.md', 'six');
    await rename(join(root, 'next.md'), join(root, 'a.md'));
    expect(await find('a.md')).toBe(keyOf('six'));
  });

  it('may be a link to another file of the folder', async () => {
    await writeSettled('a.md', 'text');
    await symlink('../a.md', join(root, 'unit/link.md'));
    expect(await find('unit/link.md')).toBe(keyOf('text'));
  });
});

describe('no lesson', () => {
  it.each([
    'missing.md',
    '',
    '.',
    'unit',
    '..',
    '../secret.md',
    'unit/../../secret.md',
    'a.md/b.md',
    'a.md\0',
    'x'.repeat(300),
  ])('is %j', async (reference) => {
    await writeSettled('a.md', 'text');
    await writeFile(join(root, '../secret.md'), 'secret');
    expect(await find(reference)).toBeNull();
    expect(puts).toEqual([]);
  });

  it('is what lies outside, by an absolute path or behind a link', async () => {
    const secret = join(root, '../secret.md');
    await writeFile(secret, 'secret');
    await symlink(secret, join(root, 'file.md'));
    await symlink('..', join(root, 'folder'));
    await symlink('loop.md', join(root, 'loop.md'));
    for (const reference of [secret, 'file.md', 'folder/secret.md', 'loop.md'])
      expect([reference, await find(reference)]).toEqual([reference, null]);
  });

  it('is a pipe, nor a device, nor anything too large', async () => {
    await promisify(execFile)('mkfifo', [join(root, 'pipe.md')]);
    await symlink('/dev/zero', join(root, 'zero.md'));
    await writeFile(join(root, 'large.md'), '');
    await truncate(join(root, 'large.md'), 101);
    for (const reference of ['pipe.md', 'zero.md', 'large.md'])
      expect([reference, await find(reference)]).toEqual([reference, null]);
  });

  it('is ever made of a fault of the store', async () => {
    await writeSettled('a.md', 'text');
    const file = join(root, 'a.md');
    const broken = lessonFolder({ root, maxBytes: 100, blobs: filesystemBlobStore(file) });
    await expect(broken('a.md')).rejects.toThrow('ENOTDIR');
    await writeSettled('a.md', 'again');
    expect(await find('a.md')).toBe(keyOf('again'));
  });
});
