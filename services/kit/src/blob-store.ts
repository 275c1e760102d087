import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';

export type BlobInfo = {
  readonly bytes: number;
  readonly contentType: string;
  /** A strong entity tag (RFC 9110 §8.8.3): another one whenever the object was written again. */
  readonly etag?: string;
};

export type BlobOptions = {
  readonly contentType: string;
  /** Spares the wait for the disk: for what can be made again after a power cut. */
  readonly mayBeLost?: boolean;
  /** What a reader's copy of the object is called, where the store can say it. */
  readonly title?: string;
};

/** Where a kind of objects lies. */
export type StorageProvider = 'filesystem' | 's3';

/** An address that needs no token of ours. */
export type BlobLink = {
  readonly url: string;
  /** Null: it stays. */
  readonly expiresAt: Date | null;
};

/**
 * Bytes by key. A key is a relative path of plain segments; an object is written whole or not at all, and writing it
 * again is safe. Rejects with `BlobStoreFault`, with a system error, or with the signal's reason.
 */
export type BlobStore = {
  readonly put: (key: string, body: Uint8Array, options: BlobOptions, signal: AbortSignal) => Promise<void>;
  /** Null when there is no such object. */
  readonly get: (key: string, signal: AbortSignal) => Promise<Uint8Array | null>;
  readonly head: (key: string, signal: AbortSignal) => Promise<BlobInfo | null>;
  /** A part of an object, `start` and `end` inclusive. */
  readonly read: (key: string, range: { start: number; end: number }, signal: AbortSignal) => Readable;
  readonly delete: (key: string, signal: AbortSignal) => Promise<void>;
  /** A link for readers who do not come through the gateway, made to work if need be; null when the store gives none. */
  readonly urlFor: (key: string, signal: AbortSignal) => Promise<BlobLink | null>;
  readonly providerOf: (key: string) => StorageProvider;
};

/** What a remote store says no with. All but `unavailable` stays until a person changes something there. */
export type BlobStoreFaultCode = 'denied' | 'no_bucket' | 'full' | 'unavailable';

/** A remote store cannot do its work. The message names no address and no key; `cause` may. */
export class BlobStoreFault extends Error {
  override name = 'BlobStoreFault';
  readonly code: BlobStoreFaultCode;
  constructor(code: BlobStoreFaultCode, options?: ErrorOptions) {
    super(`the blob store says: ${code}`, options);
    this.code = code;
  }
}

/** A key that could leave the store, or that no store of ours makes. */
export class InvalidBlobKey extends Error {
  override name = 'InvalidBlobKey';
}

const KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}(\/[A-Za-z0-9][A-Za-z0-9._-]{0,127}){0,7}$/;

export const isBlobKey = (key: string): boolean => KEY.test(key);

/** Keys go into paths and addresses: everything else is refused before it gets there. */
export const checkBlobKey = (key: string): void => {
  if (!isBlobKey(key)) throw new InvalidBlobKey('not a blob key');
};

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  json: 'application/json',
  md: 'text/markdown; charset=utf-8',
  mp3: 'audio/mpeg',
  vtt: 'text/vtt; charset=utf-8',
};

/** The content type is told by the key's extension, so that a file needs no second file beside it. */
export const contentTypeOf = (key: string): string =>
  CONTENT_TYPES[key.slice(key.lastIndexOf('.') + 1)] ?? 'application/octet-stream';

const isMissing = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Blobs as files under one folder. Writers replace files atomically, so readers never see half an object. */
export const filesystemBlobStore = (root: string): BlobStore => {
  const pathOf = (key: string) => {
    checkBlobKey(key);
    return join(root, key);
  };
  return {
    put: async (key, body, { mayBeLost = false }, signal) => {
      const path = pathOf(key);
      const temporary = `${path}.${randomUUID()}.tmp`;
      try {
        await mkdir(dirname(path), { recursive: true });
        const file = await open(temporary, 'wx');
        try {
          await file.writeFile(body, { signal });
          if (!mayBeLost) await file.sync();
        } finally {
          await file.close();
        }
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },
    get: async (key, signal) => {
      try {
        return await readFile(pathOf(key), { signal });
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    head: async (key) => {
      try {
        const found = await stat(pathOf(key));
        if (!found.isFile()) return null;
        const etag = `"${found.size.toString(36)}-${Math.round(found.mtimeMs * 1_000).toString(36)}"`;
        return { bytes: found.size, contentType: contentTypeOf(key), etag };
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    read: (key, { start, end }, signal) => createReadStream(pathOf(key), { start, end, signal }),
    delete: (key) => rm(pathOf(key), { force: true }),
    urlFor: async () => null,
    providerOf: () => 'filesystem',
  };
};

export const sha256 = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex');
