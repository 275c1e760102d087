import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import type { Client, User } from '../accounts/account.ts';
import type { Audit } from '../accounts/audit.ts';
import type { CredentialLimits } from '../accounts/credential-limits.ts';
import type { SessionStore, UserStore } from '../accounts/needs.ts';
import type { Passwords } from '../accounts/passwords.ts';
import { type LimitedCode, tooOften } from './too-often.ts';

export type ProfileWish = {
  readonly email?: string | undefined;
  readonly currentPassword?: string | undefined;
  readonly newPassword?: string | undefined;
};

type Code = 'not_authenticated' | 'missing_fields' | 'invalid_credentials' | 'email_exists' | LimitedCode;

/** Changes one's own address or password. A new password ends every other session of the user. */
export const changeProfile =
  ({
    users,
    sessions,
    passwords,
    limits,
    audit,
    changed,
  }: {
    readonly users: UserStore;
    readonly sessions: Pick<SessionStore, 'end'>;
    readonly passwords: Passwords;
    readonly limits: CredentialLimits;
    readonly audit: Audit;
    readonly changed: (userId: string) => void;
  }) =>
  async (
    caller: { readonly userId: string; readonly sessionId: string },
    { email, currentPassword, newPassword }: ProfileWish,
    { address }: Pick<Client, 'address'>,
  ): Promise<Outcome<User, Code>> => {
    const { userId, sessionId } = caller;
    const user = await users.byId(userId);
    if (!user) return refuse('not_authenticated', 'Log in first.');
    if (newPassword !== undefined && !currentPassword)
      return refuse('missing_fields', 'A new password needs "currentPassword".');
    if (currentPassword !== undefined) {
      const waitMs = await limits.attempt(user.email, address);
      if (waitMs > 0) return tooOften(waitMs, 'Too many wrong passwords.');
      if (!(await passwords.matches(currentPassword, user.passwordHash)))
        return refuse('invalid_credentials', 'The current password is wrong.');
      await limits.succeeded(user.email, address);
    }
    const now = await users.change(userId, {
      ...(email !== undefined && { email }),
      ...(newPassword !== undefined && { passwordHash: await passwords.hash(newPassword) }),
    });
    if (now === 'email_taken')
      return refuse('email_exists', 'There is an account with this email address already.');
    if (!now) return refuse('not_authenticated', 'Log in first.');
    const about = { actorId: userId, userId, address };
    if (email !== undefined && email !== user.email) audit({ ...about, kind: 'email_changed' });
    if (newPassword !== undefined) {
      await sessions.end(userId, { except: sessionId });
      changed(userId);
      audit({ ...about, kind: 'password_changed' });
    }
    return accept(now);
  };
