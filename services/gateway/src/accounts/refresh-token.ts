// A refresh token is two random halves. The family stays through all rotations of a session and finds it; the secret is
// new each time. Who knows the family but not the current secret holds a token that was good once: it was stolen, or its
// owner's was. Neither half is ever part of an access token, and only hashes of them are kept.

import { createHash, randomBytes } from 'node:crypto';

const HALF_BYTES = 24;
const TOKEN = /^([A-Za-z0-9_-]{32})([A-Za-z0-9_-]{32})$/;

export type RefreshToken = { readonly family: string; readonly secret: string };

const half = () => randomBytes(HALF_BYTES).toString('base64url');

export const newRefreshToken = (family = half()): RefreshToken => ({ family, secret: half() });

export const writeRefreshToken = ({ family, secret }: RefreshToken): string => family + secret;

/** Null for what is no refresh token. */
export const readRefreshToken = (text: string): RefreshToken | null => {
  const [, family, secret] = TOKEN.exec(text) ?? [];
  return family && secret ? { family, secret } : null;
};

/** The halves are random, so that a fast hash hides them well enough. */
export const hashOf = (part: string): string => createHash('sha256').update(part).digest('base64url');
