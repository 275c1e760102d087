import { pipeline } from 'node:stream/promises';
import { type BlobStore, isBlobKey } from '@esl/kit/blob-store';
import type { Log } from '@esl/kit/log';
import type { Links } from '@esl/kit/signed-links';
import { z } from 'zod';
import { isFresh } from '../conditional.ts';
import { notFound, problem } from '../problem.ts';
import { readRange } from '../range.ts';
import type { Handler, Route } from '../route.ts';

/** How long a browser may reuse a file without asking, in seconds. Pages and manifests change under their key. */
const MAX_AGE_S = 300;

const PAGE_CSP =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; media-src data: 'self'; img-src https: data:; frame-ancestors 'none'";
const FILE_CSP = "sandbox; default-src 'none'; frame-ancestors 'none'";

const EXPIRES = /^\d{1,12}$/;

export const fileRoutes = ({
  blobs,
  links,
  now,
  log,
}: {
  readonly blobs: BlobStore;
  readonly links: Links;
  readonly now: () => number;
  readonly log: Log;
}): Route[] => {
  /** Whatever is wrong with a link looks the same, so that keys cannot be guessed; only a good old one is told so. */
  const keyOf = (segments: unknown, query: Record<string, unknown>): { key: string; expires: number } => {
    const key = Array.isArray(segments) ? segments.join('/') : '';
    const { expires, signature } = query;
    if (!isBlobKey(key) || typeof expires !== 'string' || typeof signature !== 'string') throw notFound();
    const verdict = EXPIRES.test(expires) ? links.check(key, expires, signature) : 'bad';
    if (verdict === 'bad') throw notFound();
    if (verdict === 'expired')
      throw problem('link_expired', 'This link has expired: read the job again for a new one.');
    return { key, expires: Number(expires) };
  };

  const get: Handler = async ({ request, response, signal }) => {
    const { key, expires } = keyOf(request.params.key, request.query);
    const file = await blobs.head(key, signal);
    if (!file) throw notFound();
    const { bytes, contentType, etag } = file;
    const leftS = Math.max(0, Math.floor(expires - now() / 1_000));
    const headers = {
      'content-type': contentType,
      'content-security-policy': contentType.startsWith('text/html') ? PAGE_CSP : FILE_CSP,
      'cross-origin-resource-policy': 'cross-origin',
      'cache-control': `private, max-age=${Math.min(leftS, MAX_AGE_S)}`,
      'accept-ranges': 'bytes',
      ...(etag && { etag }),
    };
    if (etag && isFresh(request.headers['if-none-match'], etag)) {
      response.writeHead(304, headers).end();
      return null;
    }
    const ifRange = request.headers['if-range'];
    const rangeHolds = ifRange === undefined || (etag !== undefined && ifRange === etag);
    const range = rangeHolds ? readRange(request.headers.range, bytes) : null;
    if (range === 'unsatisfiable') {
      throw problem('range_not_satisfiable', 'The file is shorter than that.', {
        headers: { 'content-range': `bytes */${bytes}` },
      });
    }
    const { start, end } = range ?? { start: 0, end: bytes - 1 };
    response.writeHead(range ? 206 : 200, {
      ...headers,
      'content-length': end - start + 1,
      ...(range && { 'content-range': `bytes ${start}-${end}/${bytes}` }),
    });
    if (request.method === 'HEAD' || bytes === 0) {
      response.end();
      return null;
    }
    try {
      await pipeline(blobs.read(key, { start, end }, signal), response);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, key }, 'file cut off');
    }
    return null;
  };

  return [
    {
      method: 'get',
      path: '/files/*key',
      reach: 'core',
      access: 'public',
      tag: 'Files',
      name: 'getFile',
      summary: 'What a run made, by the signed link that its job carries',
      query: z.object({
        expires: z.string().regex(EXPIRES).describe('Seconds since 1970'),
        signature: z.string(),
      }),
      answers: {
        200: { description: 'The file.', contentType: 'application/octet-stream' },
        206: { description: 'The part that Range asks for.', contentType: 'application/octet-stream' },
        304: { description: 'It is what If-None-Match names.' },
      },
      errors: ['not_found', 'link_expired', 'range_not_satisfiable'],
      handle: get,
    },
  ];
};
