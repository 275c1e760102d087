import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { v7 as uuidv7 } from 'uuid';
import type { AccessTokens } from '../accounts/access-token.ts';
import type { Client, Session, User } from '../accounts/account.ts';
import type { Audit } from '../accounts/audit.ts';
import type { CredentialLimits } from '../accounts/credential-limits.ts';
import type { SessionStore, UserStore } from '../accounts/needs.ts';
import type { Passwords } from '../accounts/passwords.ts';
import { hashOf, newRefreshToken, readRefreshToken, writeRefreshToken } from '../accounts/refresh-token.ts';
import { type LimitedCode, tooOften } from './too-often.ts';

/** What a client holds from now on. */
export type SignedIn = {
  readonly user: User;
  readonly session: Session;
  readonly accessToken: string;
  readonly refreshToken: string;
};

type Needs = {
  readonly users: UserStore;
  readonly sessions: SessionStore;
  readonly tokens: Pick<AccessTokens, 'issue'>;
  readonly refreshLifetimeMs: number;
  readonly clock: () => Date;
  readonly audit: Audit;
};

const inactive = () => refuse('user_inactive', 'This account has been deactivated.');

export const signIn =
  ({
    users,
    sessions,
    tokens,
    passwords,
    limits,
    refreshLifetimeMs,
    clock,
    audit,
  }: Needs & { readonly passwords: Passwords; readonly limits: CredentialLimits }) =>
  async (
    { email, password }: { readonly email: string; readonly password: string },
    { address, userAgent }: Client,
  ): Promise<Outcome<SignedIn, 'invalid_credentials' | 'user_inactive' | LimitedCode>> => {
    const waitMs = await limits.attempt(email, address);
    if (waitMs > 0) return tooOften(waitMs, 'Too many attempts to log in.');
    const found = await users.byEmail(email);
    if (!(await passwords.matches(password, found?.passwordHash ?? null)) || !found) {
      audit({ kind: 'sign_in_failed', actorId: null, userId: found?.id ?? null, address });
      return refuse('invalid_credentials', 'The email address or the password is wrong.');
    }
    await limits.succeeded(email, address);
    if (!found.isActive) return inactive();
    const now = clock();
    const rehashed = passwords.isOutdated(found.passwordHash) && (await passwords.hash(password));
    const changed = await users.change(found.id, {
      lastLoginAt: now,
      ...(rehashed && { passwordHash: rehashed }),
    });
    const user = changed === null || changed === 'email_taken' ? found : changed;
    const refresh = newRefreshToken();
    const session: Session = {
      id: uuidv7(),
      userId: user.id,
      familyHash: hashOf(refresh.family),
      secretHash: hashOf(refresh.secret),
      createdAt: now,
      lastUsedAt: now,
      expiresAt: new Date(now.getTime() + refreshLifetimeMs),
      endedAt: null,
      userAgent,
      address,
    };
    await sessions.open(session);
    audit({
      kind: 'signed_in',
      actorId: user.id,
      userId: user.id,
      address,
      details: { sessionId: session.id },
    });
    const accessToken = await tokens.issue({ userId: user.id, sessionId: session.id });
    return accept({ user, session, accessToken, refreshToken: writeRefreshToken(refresh) });
  };

export const refreshSession =
  ({
    users,
    sessions,
    tokens,
    refreshLifetimeMs,
    clock,
    audit,
    changed,
  }: Needs & { readonly changed: (userId: string) => void }) =>
  async (
    text: string,
    { address }: Pick<Client, 'address'>,
  ): Promise<Outcome<SignedIn, 'invalid_refresh_token' | 'user_inactive'>> => {
    const invalid = () => refuse('invalid_refresh_token', 'The refresh token is not valid: log in again.');
    const given = readRefreshToken(text);
    if (!given) return invalid();
    const next = newRefreshToken(given.family);
    const familyHash = hashOf(given.family);
    const expiresAt = new Date(clock().getTime() + refreshLifetimeMs);
    const session = await sessions.rotate(
      familyHash,
      { from: hashOf(given.secret), to: hashOf(next.secret) },
      expiresAt,
    );
    const known = session ?? (await sessions.byFamily(familyHash));
    const user = known && (await users.byId(known.userId));
    if (!known || !user) return invalid();
    if (!user.isActive) return inactive();
    if (!session) {
      // A token that was good once: two parties hold this session, and nobody can tell which one is its owner.
      if ((await sessions.end(user.id, { only: known.id })) > 0) {
        changed(user.id);
        const details = { sessionId: known.id };
        audit({ kind: 'refresh_token_reused', actorId: null, userId: user.id, address, details });
      }
      return invalid();
    }
    const accessToken = await tokens.issue({ userId: user.id, sessionId: session.id });
    return accept({ user, session, accessToken, refreshToken: writeRefreshToken(next) });
  };
