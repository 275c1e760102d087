// Tokens in cookies, for browsers whose scripts shall not hold them.
//   C1. `__Host-`: only this host sets and gets them, over TLS (or on localhost), whatever a sister site does.
//   C2. A request that is authenticated by cookie and may change something repeats the value of the third cookie, which
//       only scripts of this site can read, in `X-CSRF-Token`. SameSite=Strict alone would trust every sister site.

import { randomBytes, timingSafeEqual } from 'node:crypto';
import { parseCookie, stringifySetCookie } from 'cookie';
import type { Request } from 'express';
import { problem } from './problem.ts';

const ACCESS = '__Host-esl_access';
const REFRESH = '__Host-esl_refresh';
const CSRF = '__Host-esl_csrf';
export const CSRF_HEADER = 'x-csrf-token';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

const cookiesOf = (request: Request) => parseCookie(request.headers.cookie ?? '');

export const accessCookie = (request: Request): string | null => cookiesOf(request)[ACCESS] || null;
export const refreshCookie = (request: Request): string | null => cookiesOf(request)[REFRESH] || null;

/** Throws unless a request that came with our cookies was sent by our own site (C2). */
export const checkCsrf = (request: Request): void => {
  if (SAFE_METHODS.has(request.method)) return;
  const wanted = Buffer.from(cookiesOf(request)[CSRF] ?? '');
  const header = request.headers[CSRF_HEADER];
  const given = Buffer.from(typeof header === 'string' ? header : '');
  if (wanted.length === 0 || given.length !== wanted.length || !timingSafeEqual(given, wanted))
    throw problem(
      'csrf_token_invalid',
      'This request must repeat its CSRF token in the header X-CSRF-Token.',
    );
};

const cookie = (name: string, value: string, maxAge: number, httpOnly: boolean) =>
  stringifySetCookie({ name, value, maxAge, httpOnly, secure: true, sameSite: 'strict', path: '/' });

/** The headers that keep both tokens in the browser, and the CSRF token that goes with them. */
export const sessionCookies = (tokens: {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresIn: number;
  readonly refreshExpiresIn: number;
}) => {
  const csrfToken = randomBytes(24).toString('base64url');
  return {
    csrfToken,
    setCookie: [
      cookie(ACCESS, tokens.accessToken, tokens.expiresIn, true),
      cookie(REFRESH, tokens.refreshToken, tokens.refreshExpiresIn, true),
      cookie(CSRF, csrfToken, tokens.refreshExpiresIn, false),
    ],
  };
};

export const clearedCookies = [ACCESS, REFRESH, CSRF].map((name) => cookie(name, '', 0, name !== CSRF));
