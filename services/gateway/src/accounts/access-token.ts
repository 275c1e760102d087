import { hash } from 'node:crypto';
import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { JOSEError, JWKSNoMatchingKey, JWTExpired } from 'jose/errors';
import { SignJWT } from 'jose/jwt/sign';
import { jwtVerify } from 'jose/jwt/verify';
import { LRUCache } from 'lru-cache';
import { ALGORITHMS, type SigningKeys } from './signing-keys.ts';

const ISSUER = 'esl-pipeline';
const AUDIENCE = 'esl-gateway';
/** RFC 9068: a token of another kind, signed with the same key, is no access token. */
const TYPE = 'at+jwt';
/** Ours have about 350 characters. */
const MAX_LENGTH = 4_096;
/** Tokens whose signature was checked already are remembered, by their hash, until they expire. */
const MAX_REMEMBERED = 20_000;

/** What a token says. Role and standing are not in it: they may change at any time (live-sessions.ts). */
export type AccessClaims = { readonly userId: string; readonly sessionId: string };

export type AccessTokens = {
  readonly issue: (claims: AccessClaims) => Promise<string>;
  readonly read: (token: string) => Promise<Outcome<AccessClaims, 'invalid_token' | 'token_expired'>>;
};

type Checked = AccessClaims & { readonly expiresAt: number };

const invalid = () => refuse('invalid_token', 'The access token is not valid.');
const expired = () => refuse('token_expired', 'The access token has expired.');

/** Short-lived signed tokens (JWT, RFC 9068). */
export const accessTokens = (settings: {
  readonly keys: SigningKeys;
  readonly lifetimeMs: number;
  readonly now: () => number;
}): AccessTokens => {
  const { keys, lifetimeMs, now } = settings;
  const remembered = new LRUCache<string, Checked>({ max: MAX_REMEMBERED });

  const check = async (token: string): Promise<Checked> => {
    const { payload } = await jwtVerify(
      token,
      ({ kid = '', alg }) => {
        const key = keys.verifying(kid, alg);
        if (!key) throw new JWKSNoMatchingKey();
        return key;
      },
      {
        algorithms: [...ALGORITHMS],
        issuer: ISSUER,
        audience: AUDIENCE,
        typ: TYPE,
        requiredClaims: ['sub', 'sid', 'exp'],
        currentDate: new Date(now()),
      },
    );
    return {
      userId: String(payload.sub),
      sessionId: String(payload.sid),
      expiresAt: Number(payload.exp) * 1_000,
    };
  };

  return {
    issue: ({ userId, sessionId }) => {
      const { kid, alg, key } = keys.signing;
      const issuedAt = Math.floor(now() / 1_000);
      return new SignJWT({ sid: sessionId })
        .setProtectedHeader({ alg, kid, typ: TYPE })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(userId)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + Math.floor(lifetimeMs / 1_000))
        .sign(key);
    },
    read: async (token) => {
      if (token.length > MAX_LENGTH) return invalid();
      const name = hash('sha256', token, 'base64url');
      try {
        const known = remembered.get(name) ?? (await check(token));
        if (known.expiresAt <= now()) return expired();
        remembered.set(name, known);
        return accept({ userId: known.userId, sessionId: known.sessionId });
      } catch (error) {
        if (error instanceof JWTExpired) return expired();
        if (error instanceof JOSEError || error instanceof TypeError) return invalid();
        throw error;
      }
    },
  };
};
