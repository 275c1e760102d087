import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const WITHIN_MS = 30_000;
const RETRY_MS = 250;

/** An account that commands of this machine act under. */
export type LocalAccount = {
  /** What each request carries. */
  readonly headers: () => Promise<Record<string, string>>;
  /** Sends a lesson; answers what a job names it by. */
  readonly upload: (name: string, text: Uint8Array) => Promise<string>;
};

type Credentials = { readonly email: string; readonly password: string };
type Tokens = { readonly accessToken: string; readonly expiresIn: number };

/** Made once and kept with the state that knows the account. */
const credentialsIn = async (home: string): Promise<Credentials> => {
  const file = join(home, 'account.json');
  const kept = await readFile(file, 'utf8').catch(() => null);
  if (kept) return JSON.parse(kept) as Credentials;
  const fresh = {
    email: `local-${randomBytes(4).toString('hex')}@localhost.localdomain`,
    password: `Aa1!${randomBytes(24).toString('base64url')}`,
  };
  await writeFile(file, JSON.stringify(fresh), { mode: 0o600 });
  return fresh;
};

/** Logs in, with an account that is made when this home has none yet. Null when the gateway has no accounts. */
export const localAccount = async (url: string, home: string): Promise<LocalAccount | null> => {
  const post = (path: string, body: object) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(WITHIN_MS),
    });
  const credentials = await credentialsIn(home);
  const logIn = () => post('/auth/login', credentials);
  let token = '';
  let renewAt = 0;
  const keep = async (response: Response) => {
    if (!response.ok) throw new Error(`the gateway answered ${response.status} to the local account`);
    const { accessToken, expiresIn } = (await response.json()) as Tokens;
    token = accessToken;
    renewAt = Date.now() + (expiresIn * 1_000) / 2;
  };

  let first = await logIn();
  // A stack that leaves a service out is waited for only until its processes live: the gateway may still be starting.
  for (
    const until = Date.now() + WITHIN_MS;
    first.status === 503 && Date.now() < until;
    first = await logIn()
  )
    await delay(RETRY_MS);
  if (first.status === 404) return null;
  if (first.status === 401) await post('/auth/register', credentials);
  await keep(first.ok ? first : await logIn());
  const headers = async () => {
    if (Date.now() > renewAt) await keep(await logIn());
    return { authorization: `Bearer ${token}` };
  };
  return {
    headers,
    upload: async (name, text) => {
      const form = new FormData();
      form.set('file', new Blob([Buffer.from(text)], { type: 'text/markdown' }), name);
      const response = await fetch(`${url}/uploads`, {
        method: 'POST',
        headers: await headers(),
        body: form,
        signal: AbortSignal.timeout(WITHIN_MS),
      });
      const body = (await response.json()) as { md?: string; message?: string };
      if (!body.md) throw new Error(`${name} was not taken: ${body.message ?? response.status}`);
      return body.md;
    },
  };
};
