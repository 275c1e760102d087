import type { Request } from 'express';
import type { AccessTokens } from '../accounts/access-token.ts';
import { isOpen } from '../accounts/account.ts';
import type { LiveSessions } from '../accounts/live-sessions.ts';
import type { Authenticate } from './principal.ts';
import { type ErrorCode, problem } from './problem.ts';
import { accessCookie, checkCsrf } from './session-cookies.ts';

const BEARER = /^Bearer +(\S+)$/i;

const unauthorized = (code: ErrorCode, message: string) => {
  const error = code === 'not_authenticated' ? '' : ' error="invalid_token"';
  return problem(code, message, { headers: { 'www-authenticate': `Bearer${error}` } });
};

const queryToken = ({ query }: Request): string | null =>
  typeof query.access_token === 'string' && query.access_token !== '' ? query.access_token : null;

const headerToken = ({ headers }: Request): string | null =>
  BEARER.exec(headers.authorization ?? '')?.[1] ?? null;

/** Tells who sends a request by its access token: in the header, where a route allows it in the query, or in a cookie. */
export const byAccessToken = ({
  tokens,
  sessions,
  cookies,
  now,
}: {
  readonly tokens: Pick<AccessTokens, 'read'>;
  readonly sessions: Pick<LiveSessions, 'standing'>;
  /** Whether cookies are taken at all. */
  readonly cookies: boolean;
  readonly now: () => number;
}): Authenticate => {
  const tokenOf = (request: Request, tokenInQuery: boolean): string | null => {
    const token = headerToken(request) ?? (tokenInQuery ? queryToken(request) : null);
    if (token !== null || !cookies || request.headers.authorization !== undefined) return token;
    const kept = accessCookie(request);
    if (kept !== null) checkCsrf(request);
    return kept;
  };

  return async (request, { tokenInQuery }) => {
    const token = tokenOf(request, tokenInQuery);
    if (token === null) throw unauthorized('not_authenticated', 'Log in first.');
    const read = await tokens.read(token);
    if (!read.ok) throw unauthorized(read.refusal.code, read.refusal.message);
    const { userId, sessionId } = read.value;
    const standing = await sessions.standing(sessionId);
    if (standing?.userId !== userId) throw unauthorized('invalid_token', 'This session is not known.');
    if (!standing.isActive) throw unauthorized('user_inactive', 'This account has been deactivated.');
    if (!isOpen(standing, now()))
      throw unauthorized('invalid_token', 'This session has ended: log in again.');
    return { ownerId: userId, role: standing.role, session: standing };
  };
};
