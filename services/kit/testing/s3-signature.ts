// AWS Signature Version 4 as S3 checks it, written from its description (AWS: API reference, "Authenticating Requests"),
// not from a client's code.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const ALGORITHM = 'AWS4-HMAC-SHA256';
const UNSIGNED = 'UNSIGNED-PAYLOAD';
const MAX_SKEW_MS = 15 * 60_000;
const WEEK_S = 604_800;

export type Refusal = { readonly status: number; readonly code: string };
export type Account = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
};

const hex = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex');
const hmac = (key: Buffer | string, data: string) => createHmac('sha256', key).update(data).digest();

/** S3 escapes everything but unreserved characters, with upper-case digits. */
export const escaped = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** `20260105T080000Z` in ms since 1970. */
const timeOf = (stamp: string): number => {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp) ?? [];
  return Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
};

type Claim = {
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly stamp: string;
  readonly payloadHash: string;
  /** The signature's own parameter is no part of what it signs. */
  readonly query: readonly (readonly [string, string])[];
};

const signatureOf = (request: IncomingMessage, path: string, claim: Claim, account: Account): string => {
  const { signedHeaders, stamp, payloadHash, query } = claim;
  const names = signedHeaders.split(';');
  const headers = names.map(
    (name) =>
      `${name}:${String(request.headers[name] ?? '')
        .trim()
        .replaceAll(/ +/g, ' ')}\n`,
  );
  const parameters = query
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .toSorted()
    .join('&');
  const canonical = [request.method, path, parameters, headers.join(''), signedHeaders, payloadHash].join(
    '\n',
  );
  const scope = `${stamp.slice(0, 8)}/${account.region}/s3/aws4_request`;
  const toSign = [ALGORITHM, stamp, scope, hex(canonical)].join('\n');
  const day = hmac(`AWS4${account.secretAccessKey}`, stamp.slice(0, 8));
  const key = hmac(hmac(hmac(day, account.region), 's3'), 'aws4_request');
  return createHmac('sha256', key).update(toSign).digest('hex');
};

const headersAllSigned = (request: IncomingMessage, signedHeaders: string): boolean => {
  const signed = new Set(signedHeaders.split(';'));
  const must = Object.keys(request.headers).filter((name) => name === 'host' || name.startsWith('x-amz-'));
  return must.every((name) => signed.has(name)) && [...signed].join(';') === [...signed].toSorted().join(';');
};

const check = (request: IncomingMessage, path: string, claim: Claim, account: Account): Refusal | null => {
  const [accessKeyId, day, region, service, end] = claim.credential.split('/');
  if (accessKeyId !== account.accessKeyId) return { status: 403, code: 'InvalidAccessKeyId' };
  if (
    region !== account.region ||
    service !== 's3' ||
    end !== 'aws4_request' ||
    day !== claim.stamp.slice(0, 8)
  )
    return { status: 400, code: 'AuthorizationHeaderMalformed' };
  if (!headersAllSigned(request, claim.signedHeaders)) return { status: 403, code: 'AccessDenied' };
  const wanted = Buffer.from(signatureOf(request, path, claim, account));
  const given = Buffer.from(claim.signature);
  return wanted.length === given.length && timingSafeEqual(wanted, given)
    ? null
    : { status: 403, code: 'SignatureDoesNotMatch' };
};

/** Null when the request may do what it asks for as `account`. `anonymous` when it says nobody. */
export const verify = (
  request: IncomingMessage,
  url: URL,
  path: string,
  body: Uint8Array,
  account: Account,
  now: number,
): Refusal | 'anonymous' | null => {
  const query = [...url.searchParams];
  const { authorization } = request.headers;
  if (authorization) {
    const [, credential, signedHeaders, signature] =
      /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
        authorization,
      ) ?? [];
    if (!credential || !signedHeaders || !signature)
      return { status: 400, code: 'AuthorizationHeaderMalformed' };
    const stamp = String(request.headers['x-amz-date'] ?? '');
    const payloadHash = String(request.headers['x-amz-content-sha256'] ?? '');
    if (!(Math.abs(timeOf(stamp) - now) <= MAX_SKEW_MS)) return { status: 403, code: 'RequestTimeTooSkewed' };
    if (!payloadHash) return { status: 400, code: 'MissingSecurityHeader' };
    if (payloadHash !== UNSIGNED && payloadHash !== hex(body))
      return { status: 400, code: 'XAmzContentSHA256Mismatch' };
    return check(request, path, { credential, signedHeaders, signature, stamp, payloadHash, query }, account);
  }
  const presigned = url.searchParams;
  if (!presigned.has('X-Amz-Signature')) return 'anonymous';
  const stamp = presigned.get('X-Amz-Date') ?? '';
  const seconds = Number(presigned.get('X-Amz-Expires'));
  if (presigned.get('X-Amz-Algorithm') !== ALGORITHM || !(seconds >= 1 && seconds <= WEEK_S))
    return { status: 400, code: 'AuthorizationQueryParametersError' };
  if (!(timeOf(stamp) + seconds * 1_000 > now)) return { status: 403, code: 'AccessDenied' };
  return check(
    request,
    path,
    {
      credential: presigned.get('X-Amz-Credential') ?? '',
      signedHeaders: presigned.get('X-Amz-SignedHeaders') ?? '',
      signature: presigned.get('X-Amz-Signature') ?? '',
      stamp,
      payloadHash: UNSIGNED,
      query: query.filter(([name]) => name !== 'X-Amz-Signature'),
    },
    account,
  );
};
