import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Job } from '@esl-pipeline/contracts';

const REQUEST_MS = 15_000;

/** A request that the gateway did not answer as it should. */
export class RequestFailed extends Error {
  override name = 'RequestFailed';
}

export type GatewayClient = {
  /** The body of the answer. Throws `RequestFailed` unless it is a success. */
  readonly request: (method: 'GET' | 'POST', path: string, body?: object) => Promise<unknown>;
  /** An address of the event stream of every job of this client. */
  readonly eventsUrl: string;
  /** Puts a lesson where a job finds it; the answer is its `md`. */
  readonly upload: (file: string) => Promise<string>;
  readonly job: (jobId: string) => Promise<Job>;
};

/**
 * Talks to a gateway as one user. With accounts it is a new one, made for the occasion; without, nobody in particular,
 * whose lessons are those in LESSONS_DIR.
 */
export const openGateway = async (url: string): Promise<GatewayClient> => {
  let token: string | null = null;
  const send = async (method: string, path: string, init: RequestInit = {}): Promise<unknown> => {
    const authorization = token ? { authorization: `Bearer ${token}` } : {};
    const headers = { ...(init.headers as Record<string, string> | undefined), ...authorization };
    const signal = AbortSignal.timeout(REQUEST_MS);
    const response = await fetch(`${url}${path}`, { ...init, method, headers, signal }).catch(
      (error: Error) => {
        throw new RequestFailed(`${method} ${path}: ${error.message}`, { cause: error.cause ?? error });
      },
    );
    const text = await response.text();
    if (!response.ok) throw new RequestFailed(`${method} ${path}: ${response.status} ${text.slice(0, 200)}`);
    return text ? JSON.parse(text) : null;
  };
  const json = (body: object): RequestInit => ({
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

  const hasAccounts =
    (await fetch(`${url}/jobs?limit=1`, { signal: AbortSignal.timeout(REQUEST_MS) })).status === 401;
  if (hasAccounts) {
    const credentials = {
      email: `cluster-check-${randomBytes(6).toString('hex')}@example.com`,
      password: `Aa1!${randomBytes(12).toString('hex')}`,
    };
    await send('POST', '/auth/register', json(credentials));
    ({ accessToken: token } = (await send('POST', '/auth/login', json(credentials))) as {
      accessToken: string;
    });
  }
  return {
    request: (method, path, body) => send(method, path, body && json(body)),
    eventsUrl: `${url}/jobs/events?jobId=*${token ? `&access_token=${encodeURIComponent(token)}` : ''}`,
    upload: async (file) => {
      if (!hasAccounts) return basename(file);
      const form = new FormData();
      form.set('file', new Blob([await readFile(file)], { type: 'text/markdown' }), basename(file));
      return ((await send('POST', '/uploads', { body: form })) as { md: string }).md;
    },
    job: async (jobId) => (await send('GET', `/jobs/${jobId}`)) as Job,
  };
};
