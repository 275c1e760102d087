// One bucket of S3 in memory, path style, as strict as the vendor: signatures, checksums, lengths, ranges, access lists.
// What the real one would refuse, this refuses.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';
import { type Account, escaped, type Refusal, verify } from './s3-signature.ts';

export type StoredObject = {
  readonly body: Buffer;
  readonly etag: string;
  readonly sha256: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly isPublic: boolean;
};

/** What a request meets instead of a plain answer. */
export type Trouble =
  | { readonly kind: 'refuse'; readonly status: number; readonly code: string; readonly retryAfter?: number }
  /** Hangs up before anything is done. */
  | { readonly kind: 'reset' }
  /** Does the work, and hangs up instead of answering. */
  | { readonly kind: 'lose' }
  /** Answers with only so many bytes of the body, then hangs up. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** Never answers. */
  | { readonly kind: 'hang' };

export type SeenRequest = {
  readonly method: string;
  readonly key: string;
  readonly query: string;
  readonly range: string | null;
  status: number;
};

export type S3Server = AsyncDisposable & {
  readonly url: string;
  readonly bucket: string;
  readonly account: Account;
  readonly objects: Map<string, StoredObject>;
  readonly seen: SeenRequest[];
  /** The next requests, in order, that `match` fits meet this trouble. */
  readonly trouble: (trouble: Trouble, options?: { times?: number; match?: RegExp }) => void;
  /** As it was at first, but for its objects: no trouble to come, no request seen. */
  readonly calm: () => void;
  /** How many bytes the bucket may hold. */
  capacity: number;
  areAclsOn: boolean;
  /** What a bucket policy says: everyone may read. */
  isPublicByPolicy: boolean;
  now: () => number;
  /** The environment of a service that uses it. */
  readonly env: Readonly<Record<string, string>>;
};

const USUAL = { capacity: Number.POSITIVE_INFINITY, areAclsOn: true, isPublicByPolicy: false, now: Date.now };

const KEPT_HEADERS = ['content-type', 'cache-control', 'content-disposition'];
const MAX_BODY_BYTES = 64 * 1024 * 1024;

const readBody = async (request: IncomingMessage): Promise<Buffer> => {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request) {
    bytes += piece.length;
    if (bytes > MAX_BODY_BYTES) throw new Error('too large for this server');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
};

const digest = (algorithm: string, body: Buffer) => createHash(algorithm).update(body).digest('base64');

/** Every checksum that a request brings must be right, and a body must come with its length. */
const faultInBody = ({ headers }: IncomingMessage, body: Buffer): Refusal | null => {
  if (headers['content-length'] === undefined || Number(headers['content-length']) !== body.length)
    return { status: 411, code: 'MissingContentLength' };
  if (headers['x-amz-decoded-content-length'] !== undefined) return { status: 501, code: 'NotImplemented' };
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(body));
  const sums: readonly (readonly [string, () => string])[] = [
    ['content-md5', () => digest('md5', body)],
    ['x-amz-checksum-sha256', () => digest('sha256', body)],
    ['x-amz-checksum-crc32', () => crc.toString('base64')],
  ];
  for (const [name, sum] of sums)
    if (headers[name] !== undefined && headers[name] !== sum()) return { status: 400, code: 'BadDigest' };
  return null;
};

const rangeOf = (header: string | undefined, size: number): { start: number; end: number } | null | 'bad' => {
  if (header === undefined) return null;
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? [];
  if (first === '' && last === '') return 'bad';
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return start < size && start <= end ? { start, end } : 'bad';
};

export const startS3Server = async (over: Partial<Account> & { bucket?: string } = {}): Promise<S3Server> => {
  const bucket = over.bucket ?? 'lessons-and-audio';
  const account: Account = {
    accessKeyId: over.accessKeyId ?? 'AKIATESTTESTTEST',
    secretAccessKey: over.secretAccessKey ?? 'secret/of+the/bucket',
    region: over.region ?? 'eu-west-3',
  };
  const objects = new Map<string, StoredObject>();
  const troubles: { readonly trouble: Trouble; readonly match: RegExp }[] = [];

  const refuse = (
    response: ServerResponse,
    { status, code }: Refusal,
    headers: Record<string, string> = {},
  ) => {
    const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message><RequestId>R1</RequestId></Error>`;
    const { req } = response;
    response.writeHead(status, { 'content-type': 'application/xml', connection: 'close', ...headers });
    response.end(req.method === 'HEAD' ? undefined : xml);
  };

  const write = (request: IncomingMessage, key: string, body: Buffer): Refusal | StoredObject => {
    const fault = faultInBody(request, body);
    if (fault) return fault;
    const before = objects.get(key);
    if (request.headers['if-none-match'] === '*' && before)
      return { status: 412, code: 'PreconditionFailed' };
    if (request.headers['x-amz-acl'] && !server.areAclsOn)
      return { status: 400, code: 'AccessControlListNotSupported' };
    const held = [...objects.values()].reduce((bytes, object) => bytes + object.body.length, 0);
    if (held - (before?.body.length ?? 0) + body.length > server.capacity)
      return { status: 507, code: 'XMinioStorageFull' };
    const kept = KEPT_HEADERS.flatMap((name) => {
      const value = request.headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    });
    const object: StoredObject = {
      body,
      etag: `"${createHash('md5').update(body).digest('hex')}"`,
      sha256: request.headers['x-amz-checksum-sha256'] ? digest('sha256', body) : null,
      headers: Object.fromEntries(kept),
      isPublic: request.headers['x-amz-acl'] === 'public-read',
    };
    objects.set(key, object);
    return object;
  };

  const read = (
    request: IncomingMessage,
    response: ServerResponse,
    object: StoredObject,
    trouble: Trouble | undefined,
  ) => {
    const { body, etag, sha256, headers } = object;
    const { range: wanted, 'if-match': ifMatch, 'x-amz-checksum-mode': mode } = request.headers;
    if (ifMatch && ifMatch !== etag) return refuse(response, { status: 412, code: 'PreconditionFailed' });
    const range = rangeOf(wanted, body.length);
    if (range === 'bad')
      return refuse(
        response,
        { status: 416, code: 'InvalidRange' },
        { 'content-range': `bytes */${body.length}` },
      );
    const { start, end } = range ?? { start: 0, end: body.length - 1 };
    response.writeHead(range ? 206 : 200, {
      ...headers,
      etag,
      'accept-ranges': 'bytes',
      'content-length': end - start + 1,
      ...(range && { 'content-range': `bytes ${start}-${end}/${body.length}` }),
      ...(mode === 'ENABLED' && sha256 && !range && { 'x-amz-checksum-sha256': sha256 }),
    });
    if (request.method === 'HEAD') return response.end();
    const part = body.subarray(start, end + 1);
    if (trouble?.kind !== 'cut') return response.end(part);
    response.write(part.subarray(0, trouble.afterBytes), () => response.socket?.destroy());
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://s3');
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const [, name = '', ...segments] = path.split('/');
    const key = segments.map(decodeURIComponent).join('/');
    const seen: SeenRequest = {
      method: request.method ?? '',
      key,
      query: url.searchParams.has('X-Amz-Signature') ? 'presigned' : url.search,
      range: request.headers.range ?? null,
      status: 0,
    };
    server.seen.push(seen);
    response.once('finish', () => {
      seen.status = response.statusCode;
    });
    const at = troubles.findIndex(({ match }) => match.test(`${request.method} ${key}${url.search}`));
    const trouble = at < 0 ? undefined : troubles.splice(at, 1)[0]?.trouble;
    const body = await readBody(request);

    if (trouble?.kind === 'reset') return void request.socket.destroy();
    if (trouble?.kind === 'hang') return;
    if (trouble?.kind === 'refuse') {
      const { retryAfter } = trouble;
      return refuse(response, trouble, retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) });
    }

    if (segments.map((segment) => escaped(decodeURIComponent(segment))).join('/') !== segments.join('/'))
      return refuse(response, { status: 400, code: 'InvalidURI' });
    const verdict = verify(request, url, path, body, account, server.now());
    const object = objects.get(key);
    const isOpen = server.isPublicByPolicy || (object?.isPublic ?? false);
    const mayReadOnly = request.method === 'GET' || request.method === 'HEAD';
    if (verdict === 'anonymous' && !(mayReadOnly && isOpen))
      return refuse(response, { status: 403, code: 'AccessDenied' });
    if (verdict !== null && verdict !== 'anonymous') return refuse(response, verdict);
    if (name !== bucket) return refuse(response, { status: 404, code: 'NoSuchBucket' });
    if (key === '' || Buffer.byteLength(key) > 1_024)
      return refuse(response, { status: 400, code: 'InvalidRequest' });

    const lost = () => void request.socket.destroy();
    switch (request.method) {
      case 'PUT': {
        if (url.searchParams.has('acl')) {
          if (!object) return refuse(response, { status: 404, code: 'NoSuchKey' });
          if (!server.areAclsOn)
            return refuse(response, { status: 400, code: 'AccessControlListNotSupported' });
          objects.set(key, { ...object, isPublic: request.headers['x-amz-acl'] === 'public-read' });
          return void (trouble?.kind === 'lose' ? lost() : response.writeHead(200).end());
        }
        const stored = write(request, key, body);
        if ('code' in stored) return refuse(response, stored);
        return void (trouble?.kind === 'lose'
          ? lost()
          : response.writeHead(200, { etag: stored.etag }).end());
      }
      case 'DELETE':
        objects.delete(key);
        return void (trouble?.kind === 'lose' ? lost() : response.writeHead(204).end());
      case 'GET':
      case 'HEAD':
        if (!object) return refuse(response, { status: 404, code: 'NoSuchKey' });
        return void read(request, response, object, trouble);
      default:
        return refuse(response, { status: 405, code: 'MethodNotAllowed' });
    }
  };

  const http = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const server: S3Server = {
    url,
    bucket,
    account,
    objects,
    seen: [],
    trouble: (trouble, { times = 1, match = /./ } = {}) => {
      for (let count = 0; count < times; count += 1) troubles.push({ trouble, match });
    },
    calm: () => {
      troubles.length = 0;
      server.seen.length = 0;
      Object.assign(server, USUAL);
    },
    ...USUAL,
    env: {
      STORAGE_PROVIDER: 's3',
      S3_ENDPOINT: url,
      S3_FORCE_PATH_STYLE: 'true',
      S3_REGION: account.region,
      S3_BUCKET: bucket,
      S3_ACCESS_KEY_ID: account.accessKeyId,
      S3_SECRET_ACCESS_KEY: account.secretAccessKey,
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
  return server;
};
