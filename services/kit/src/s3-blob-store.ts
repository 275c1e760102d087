// Blobs in a bucket of S3, or of what speaks its language.
//   B1. An object under the hash of its content is written once: what is there already is not sent again.
//   B2. What is stored is what was sent: every body goes with its SHA-256, and S3 refuses what does not match.
//   B3. A reader that is cut off goes on where it was, in the same version of the object.
//   B4. Nothing waits for ever: each call, and each wait for the next piece of a body, has its time.

import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import {
  type BlobLink,
  type BlobStore,
  BlobStoreFault,
  checkBlobKey,
  contentTypeOf,
  sha256,
} from './blob-store.ts';
import type { Log } from './log.ts';
import { callProvider } from './provider-call.ts';
import { isMissing, nameOf, toFault } from './s3-fault.ts';
import type { LinkPolicy, S3Account } from './storage-env.ts';

/** Tries of one request, with the client's growing and jittered pauses. */
const MAX_ATTEMPTS = 3;
const CONNECT_MS = 3_000;
/** How long S3 may think about one try. */
const ATTEMPT_MS = 20_000;
/** One call, all its tries included. */
const CALL_MS = 60_000;
/** The longest wait for the next piece of a body. */
const STALL_MS = 20_000;
/** Times a body is taken up again without getting any further. */
const MAX_RESUMES = 3;
/** Whole objects larger than this are not read into memory. */
const MAX_WHOLE_BYTES = 256 * 1024 * 1024;

const IMMUTABLE = 'public, max-age=31536000, immutable';

/** What S3 answered, as the client tells it with what it returns and with what it throws. */
const httpStatusOf = (told: unknown): number | null =>
  (told as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode ?? null;

/** `PutObjectCommand` as `put_object`. */
const operationOf = (commandName: string): string =>
  commandName
    .replace(/Command$/, '')
    .replaceAll(/(?<!^)[A-Z]/g, '_$&')
    .toLowerCase();

export const connectS3 = ({ region, endpoint, forcePathStyle, credentials }: S3Account): S3Client => {
  const client = new S3Client({
    region,
    forcePathStyle,
    ...(endpoint && { endpoint }),
    ...(credentials && { credentials }),
    maxAttempts: MAX_ATTEMPTS,
    // Bodies carry a SHA-256 of ours (B2).
    requestChecksumCalculation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: ATTEMPT_MS,
      throwOnRequestTimeout: true,
    },
  });
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      (args) =>
        callProvider({ provider: 's3', operation: operationOf(commandName) }, () => next(args), {
          answered: ({ output }) => httpStatusOf(output),
          thrown: httpStatusOf,
        }),
    { step: 'initialize', name: 'measured' },
  );
  return client;
};

/** `attachment` would keep browsers from playing it. RFC 6266, with the name in both notations. */
const dispositionOf = (title: string, key: string): string => {
  const name = `${title.slice(0, 200)}${key.slice(key.lastIndexOf('.'))}`;
  const ascii = name.normalize('NFKD').replaceAll(/[^\x20-\x7e]|["\\%]/g, '');
  const encoded = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16)}`,
  );
  return `inline; filename="${ascii}"; filename*=UTF-8''${encoded}`;
};

/** The pieces of a body. Ends it when the reader goes, the signal fires or nothing comes. */
async function* piecesOf(body: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  const stop = () => void body.destroy(new Error('stopped', { cause: signal.reason }));
  signal.addEventListener('abort', stop, { once: true });
  const pieces = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const late = setTimeout(() => body.destroy(new Error('nothing came for too long')), STALL_MS);
      const next = await pieces.next().finally(() => clearTimeout(late));
      signal.throwIfAborted();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    body.destroy();
  }
}

export const s3BlobStore = (
  client: S3Client,
  settings: {
    readonly bucket: string;
    /** Without slashes around it. */
    readonly prefix: string;
    readonly links: LinkPolicy;
    readonly log: Log;
  },
): BlobStore => {
  const { bucket, prefix, links, log } = settings;
  const place = (key: string) => {
    checkBlobKey(key);
    return { Bucket: bucket, Key: prefix ? `${prefix}/${key}` : key };
  };

  /** One call, with all its tries. Rejects with a `BlobStoreFault` or with the signal's reason. */
  const call = async <T>(
    send: (options: { abortSignal: AbortSignal }) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> => {
    try {
      return await send({ abortSignal: AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]) });
    } catch (error) {
      signal.throwIfAborted();
      throw toFault(error);
    }
  };
  const unlessMissing = async <T>(calling: Promise<T>): Promise<T | null> => {
    try {
      return await calling;
    } catch (error) {
      if (error instanceof BlobStoreFault && isMissing(error.cause)) return null;
      throw error;
    }
  };

  const find = (key: string, signal: AbortSignal) => {
    const head = new HeadObjectCommand(place(key));
    return unlessMissing(call((options) => client.send(head, options), signal));
  };

  const fetchBody = (
    key: string,
    part: { range?: string; etag?: string | undefined },
    signal: AbortSignal,
  ) => {
    const get = new GetObjectCommand({
      ...place(key),
      ...(part.range ? { Range: part.range } : { ChecksumMode: 'ENABLED' }),
      ...(part.etag && { IfMatch: part.etag }),
    });
    return call((options) => client.send(get, options), signal);
  };
  const bodyOf = ({ Body }: GetObjectCommandOutput): Readable => {
    if (!(Body instanceof Readable)) throw new Error('an object came without a body');
    return Body;
  };

  const readWhole = async (found: GetObjectCommandOutput, signal: AbortSignal): Promise<Buffer> => {
    const pieces: Buffer[] = [];
    for await (const piece of piecesOf(bodyOf(found), signal)) pieces.push(piece);
    return Buffer.concat(pieces);
  };

  async function* readRange(
    key: string,
    { start, end }: { start: number; end: number },
    signal: AbortSignal,
  ) {
    let from = start;
    let etag: string | undefined;
    for (let resumes = 0; from <= end; ) {
      const found = await fetchBody(key, { range: `bytes=${from}-${end}`, etag }, signal);
      etag = found.ETag;
      try {
        for await (const piece of piecesOf(bodyOf(found), signal)) {
          from += piece.length;
          resumes = 0;
          yield piece;
        }
      } catch (error) {
        signal.throwIfAborted();
        resumes += 1;
        if (resumes > MAX_RESUMES) throw toFault(error);
        continue;
      }
      if (from <= end) throw new BlobStoreFault('unavailable', { cause: new Error('the object is shorter') });
    }
  }

  /** The address without a signature, as the client escapes it for this bucket, region and endpoint. */
  const publicUrl = async (key: string): Promise<string> => {
    const url = new URL(await getSignedUrl(client, new GetObjectCommand(place(key))));
    url.search = '';
    return url.href;
  };

  /** Where access lists are off, the bucket's own policy decides: then a look from outside tells. */
  const publish = async (key: string, signal: AbortSignal): Promise<BlobLink | null> => {
    const url = await publicUrl(key);
    const open = new PutObjectAclCommand({ ...place(key), ACL: 'public-read' });
    try {
      await call((options) => client.send(open, options), signal);
      return { url, expiresAt: null };
    } catch (error) {
      if (!(error instanceof BlobStoreFault) || error.code === 'unavailable') throw error;
      const refusal = nameOf(error.cause);
      const seen = await fetch(url, {
        method: 'HEAD',
        signal: AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_MS)]),
      }).catch(() => null);
      signal.throwIfAborted();
      if (seen?.ok) return { url, expiresAt: null };
      log.warn({ bucket, key, refusal }, 'an object could not be made public: no link to it is given out');
      return null;
    }
  };

  const presign = async (key: string): Promise<BlobLink> => {
    const expiresAt = new Date(Date.now() + links.seconds * 1_000);
    const url = await getSignedUrl(client, new GetObjectCommand(place(key)), { expiresIn: links.seconds });
    return { url, expiresAt };
  };

  return {
    put: async (key, body, { contentType, title }, signal) => {
      const hash = sha256(body);
      const isNamedByContent = key.includes(hash);
      if (isNamedByContent && (await find(key, signal))?.ContentLength === body.byteLength) return;
      const write = new PutObjectCommand({
        ...place(key),
        Body: body,
        ContentLength: body.byteLength,
        ContentType: contentType,
        ChecksumSHA256: Buffer.from(hash, 'hex').toString('base64'),
        ...(isNamedByContent && { CacheControl: IMMUTABLE }),
        ...(title && { ContentDisposition: dispositionOf(title, key) }),
      });
      await call((options) => client.send(write, options), signal);
    },
    get: async (key, signal) => {
      for (let tries = 1; ; tries += 1) {
        const found = await unlessMissing(fetchBody(key, {}, signal));
        if (!found) return null;
        if ((found.ContentLength ?? 0) > MAX_WHOLE_BYTES) {
          bodyOf(found).destroy();
          throw new Error(`an object of more than ${MAX_WHOLE_BYTES} bytes`);
        }
        try {
          return await readWhole(found, signal);
        } catch (error) {
          signal.throwIfAborted();
          if (tries > MAX_RESUMES) throw toFault(error);
        }
      }
    },
    head: async (key, signal) => {
      const found = await find(key, signal);
      if (!found) return null;
      return {
        bytes: found.ContentLength ?? 0,
        contentType: contentTypeOf(key),
        ...(found.ETag && { etag: found.ETag }),
      };
    },
    read: (key, range, signal) => {
      checkBlobKey(key);
      return Readable.from(readRange(key, range, signal), { objectMode: false });
    },
    delete: async (key, signal) => {
      const remove = new DeleteObjectCommand(place(key));
      await unlessMissing(call((options) => client.send(remove, options), signal));
    },
    urlFor: async (key, signal) => {
      if (links.kind === 'private') return null;
      return links.kind === 'public' ? publish(key, signal) : presign(key);
    },
    providerOf: () => 's3',
  };
};
