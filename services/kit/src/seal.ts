// Secrets at rest: AES-256-GCM (NIST SP 800-38D) with versioned keys.
//   E1. A sealed text says which key opens it, so that keys rotate without a migration: the first seals, all open.
//   E2. It is bound to its owner and purpose: a copy under another owner or name does not open.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { z } from 'zod';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Keys by version, the sealing one first. */
export type SealKeys = ReadonlyMap<string, Buffer>;

/** What a secret is bound to: whose it is, and what it is for. */
export type SealContext = { readonly ownerId: string; readonly purpose: string };

/** The text was not sealed here: its key is unknown, it was changed, or it belongs to someone or something else. */
export class CannotUnseal extends Error {
  override name = 'CannotUnseal';
}

const ENTRY = /^([a-z0-9]{1,16}):([A-Za-z0-9+/_-]{43}=?)$/;

/** `v2:<32 bytes in base64>,v1:<…>`, the sealing key first. */
export const sealKeys = z.string().transform((text, context): SealKeys => {
  const keys = new Map<string, Buffer>();
  for (const entry of text.split(',')) {
    const [, version, key] = ENTRY.exec(entry.trim()) ?? [];
    if (!version || !key || keys.has(version)) {
      context.addIssue('must be <version>:<32 bytes in base64>, comma-separated, each version once');
      return z.NEVER;
    }
    keys.set(version, Buffer.from(key, 'base64'));
  }
  return keys;
});

const boundTo = ({ ownerId, purpose }: SealContext) => Buffer.from(JSON.stringify([ownerId, purpose]));

/** `<key version>.<nonce, ciphertext and tag in base64url>` */
export const seal = (keys: SealKeys, context: SealContext, secret: string): string => {
  const [first] = keys;
  if (!first) throw new Error('no key to seal with');
  const [version, key] = first;
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(boundTo(context));
  const sealed = Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${version}.${sealed.toString('base64url')}`;
};

/** Throws `CannotUnseal`, whose message tells nothing of the secret. */
export const unseal = (keys: SealKeys, context: SealContext, sealed: string): string => {
  const [version = '', body = ''] = sealed.split('.', 2);
  const key = keys.get(version);
  if (!key) throw new CannotUnseal('the secret was sealed with a key that is not known here');
  const bytes = Buffer.from(body, 'base64url');
  if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new CannotUnseal('the sealed secret is damaged');
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
    .setAAD(boundTo(context))
    .setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return (
      decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
    );
  } catch (error) {
    throw new CannotUnseal('the sealed secret is damaged or belongs to someone else', { cause: error });
  }
};
