// Lessons in a folder of this machine, copied into the blob store when a job names them.
//   L1. Nothing outside the folder is read, whatever the reference or a link inside the folder says.
//   L2. What a job got is what the file held when it was submitted; later edits do not reach it.
//   L3. Memory is bounded: few files are read at once, and callers of the same file share one read.

import { constants } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';
import { type BlobStore, contentTypeOf, sha256 } from '@esl/kit/blob-store';
import { coalesce } from '@esl/kit/coalesce';

const MAX_REMEMBERED = 10_000;
const READS_AT_ONCE = 4;
const STORE_MS = 30_000;
/** A file changed this recently may change again without its times telling: file systems count in ticks. */
const RACY_MS = 2_000;

type Remembered = { readonly identity: string; readonly key: string };
type Stats = Awaited<ReturnType<typeof bigStat>>;

const bigStat = (path: string) => stat(path, { bigint: true });

/** Equal identities, equal content. */
const identityOf = ({ dev, ino, size, mtimeNs, ctimeNs }: Stats) =>
  `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;

/** What it means for a reference to lead nowhere: missing, no folder, a loop of links, too long, not ours to read. */
const NOWHERE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EACCES', 'EPERM', 'ENXIO']);

/** Null when a path leads nowhere. Only paths that callers name are asked so: a fault of the blob store stays one. */
const unlessNowhere = async <T>(looking: Promise<T>): Promise<T | null> => {
  try {
    return await looking;
  } catch (error) {
    if (NOWHERE.has((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
};

const staysInside = (reference: string): boolean =>
  !isAbsolute(reference) && !reference.includes('\0') && !reference.split('/').includes('..');

export const lessonFolder = (settings: {
  readonly root: string;
  /** Larger files are not lessons. */
  readonly maxBytes: number;
  readonly blobs: Pick<BlobStore, 'head' | 'put'>;
}): ((reference: string) => Promise<string | null>) => {
  const { root, maxBytes, blobs } = settings;
  const remembered = new Map<string, Remembered>();
  const onTheWay = new Map<string, Promise<string | null>>();
  const looks = new Map<string, Promise<Stats>>();

  const remember = (path: string, entry: Remembered) => {
    remembered.delete(path);
    remembered.set(path, entry);
    const oldest = remembered.size > MAX_REMEMBERED ? remembered.keys().next().value : undefined;
    if (oldest !== undefined) remembered.delete(oldest);
  };

  /** Callers of one file at the same time share one look at it. */
  const sharedStat = (path: string): Promise<Stats> => {
    const looking = looks.get(path) ?? bigStat(path).finally(() => looks.delete(path));
    looks.set(path, looking);
    return looking;
  };

  const isLesson = (found: Stats) => found.isFile() && found.size <= BigInt(maxBytes);

  const store = async (text: Buffer): Promise<string> => {
    const hash = sha256(text);
    const key = `lessons/${hash.slice(0, 2)}/${hash}.md`;
    const signal = AbortSignal.timeout(STORE_MS);
    const there = await blobs.head(key, signal);
    if (there?.bytes !== text.length) await blobs.put(key, text, { contentType: contentTypeOf(key) }, signal);
    return key;
  };

  /** The file behind a path, opened, if it lies inside the folder. */
  const openInside = async (path: string) => {
    const [real, inside] = await Promise.all([realpath(path), realpath(root)]);
    if (!real.startsWith(inside.endsWith(sep) ? inside : inside + sep)) return null;
    return await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  };

  const load = async (path: string): Promise<string | null> => {
    const file = await unlessNowhere(openInside(path));
    if (!file) return null;
    try {
      const before = await file.stat({ bigint: true });
      if (!isLesson(before)) return null;
      const text = await file.readFile();
      if (text.length > maxBytes) return null;
      const key = await store(text);
      const identity = identityOf(before);
      const settled = Date.now() - Number(before.mtimeNs / 1_000_000n) > RACY_MS;
      if (settled && identityOf(await file.stat({ bigint: true })) === identity)
        remember(path, { identity, key });
      return key;
    } finally {
      await file.close();
    }
  };

  const fewAtOnce = coalesce(async (paths: readonly string[]) => await Promise.all(paths.map(load)), {
    maxItems: 1,
    inFlight: READS_AT_ONCE,
  });

  return async (reference) => {
    if (!staysInside(reference)) return null;
    const path = join(root, reference);
    const found = await unlessNowhere(sharedStat(path));
    if (!found || !isLesson(found)) return null;
    const identity = identityOf(found);
    const known = remembered.get(path);
    if (known?.identity === identity) return known.key;
    const shared = `${path}\0${identity}`;
    const loading = onTheWay.get(shared) ?? fewAtOnce(path).finally(() => onTheWay.delete(shared));
    onTheWay.set(shared, loading);
    return await loading;
  };
};
