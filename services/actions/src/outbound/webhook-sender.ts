// Calls addresses that users chose, from inside our network (OWASP: Server-Side Request Forgery Prevention).
//   S1. The connection goes to an address that was checked: the name is looked up once, by the connection itself, so
//       that a name which answers differently the second time gains nothing.
//   S2. No redirect is followed.
//   S3. Time and bytes of an answer are bounded, and nothing of its body is kept or shown.

import { promises as dns, type LookupAddress, lookup } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { callProvider } from '@esl/kit/provider-call';
import { retryAfterMs } from '@esl/kit/retry-after';
import type { Answer, Resolve, Send } from '../app/webhook-needs.ts';
import { isPublicAddress } from '../domain/public-address.ts';
import type { AttemptError } from '../domain/webhook.ts';
import { hostOf, isAddress } from '../domain/webhook-url.ts';

/** Answers are expected to be empty or short; a longer one is cut off. */
const MAX_ANSWER_BYTES = 64 * 1024;
const PRODUCT = 'esl-pipeline-webhooks/1';

class PrivateAddress extends Error {
  override name = 'PrivateAddress';
}

const NAME_NOT_FOUND = new Set(['ENOTFOUND', 'EAI_AGAIN', 'ENODATA', 'EAI_NODATA', 'EAI_NONAME']);
/** What node:tls says of a certificate that it does not trust (doc/api/tls.md, "X509 certificate error codes"). */
const NOT_TRUSTED =
  /^(CERT_|CRL_|ERR_TLS_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|PATH_LENGTH_|HOSTNAME_MISMATCH)/;

const errorOf = (error: unknown): AttemptError => {
  if (error instanceof PrivateAddress) return 'private_address';
  const { code = '', cause, name } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError' || (cause as Error | undefined)?.name === 'TimeoutError') return 'timeout';
  if (NAME_NOT_FOUND.has(code)) return 'name_not_found';
  return NOT_TRUSTED.test(code) ? 'not_trusted' : 'connection_failed';
};

/** Reads an answer to its end or its limit, so that the receiver is not cut off in the middle of a short one. */
const drain = async (response: IncomingMessage): Promise<void> => {
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_ANSWER_BYTES) return;
  }
};

/** The system's own way to look up a name, as one connection uses it. */
type Lookup = (
  host: string,
  options: { readonly all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** Every address of a name must be public: with one that is not, the name is not trusted at all. */
const publicOnly =
  (look: Lookup): LookupFunction =>
  (host, options, done) =>
    look(host, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error || !first) done(error ?? new Error('no address'), []);
      else if (!addresses.every(({ address }) => isPublicAddress(address)))
        done(new PrivateAddress('the name leads to a private address'), []);
      else if (options.all) done(null, addresses);
      else done(null, first.address, first.family);
    });

export const webhookSender = (settings: {
  readonly allowPrivate: boolean;
  /** For the whole exchange. */
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly lookup?: Lookup;
}): Send => {
  const { allowPrivate, timeoutMs, now } = settings;
  const lookupPublic = publicOnly(settings.lookup ?? lookup);

  const exchange = async (
    { url: text, body, headers }: Parameters<Send>[0],
    signal: AbortSignal,
  ): Promise<Answer> => {
    const url = new URL(text);
    const host = hostOf(url);
    if (!allowPrivate && isAddress(host) && !isPublicAddress(host)) return { error: 'private_address' };
    const request = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, {
      method: 'POST',
      agent: false,
      signal,
      headers: { ...headers, 'user-agent': PRODUCT, 'content-length': Buffer.byteLength(body) },
      ...(!allowPrivate && { lookup: lookupPublic }),
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) =>
      request.once('response', resolve).once('error', reject),
    );
    try {
      request.end(body);
      const response = await answered;
      // The status is the answer: a body that breaks off changes nothing.
      response.on('error', () => {});
      await drain(response).catch(() => {});
      const after = retryAfterMs(response.headers['retry-after'] ?? null, now());
      return { status: response.statusCode ?? 0, retryAfterMs: after ?? 0 };
    } finally {
      request.on('error', () => {}).destroy();
    }
  };

  return async (message, signal) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      return await callProvider(
        { provider: 'webhook', operation: 'deliver', method: 'POST' },
        () => exchange(message, AbortSignal.any([signal, timeout])),
        { answered: (answer) => ('status' in answer ? answer.status : null) },
      );
    } catch (error) {
      signal.throwIfAborted();
      return { error: timeout.aborted ? 'timeout' : errorOf(error) };
    }
  };
};

/** The addresses of a name, as the system knows them. */
export const systemResolve: Resolve = async (host, signal) => {
  const gone = new Promise<never>((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  );
  const found = await Promise.race([dns.lookup(host, { all: true }), gone]);
  return found.map(({ address }) => address);
};
