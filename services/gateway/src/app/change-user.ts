import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import type { Role } from '@esl-pipeline/contracts';
import type { Client, User } from '../accounts/account.ts';
import type { Audit } from '../accounts/audit.ts';
import type { SessionStore, UserStore } from '../accounts/needs.ts';

export type UserWish = { readonly role?: Role | undefined; readonly isActive?: boolean | undefined };

/**
 * An admin changes another user. Deactivating ends all of the user's sessions. Nobody changes their own role or standing,
 * so that there is always an admin left.
 */
export const changeUser =
  ({
    users,
    sessions,
    audit,
    changed,
  }: {
    readonly users: Pick<UserStore, 'change'>;
    readonly sessions: Pick<SessionStore, 'end'>;
    readonly audit: Audit;
    readonly changed: (userId: string) => void;
  }) =>
  async (
    adminId: string,
    userId: string,
    { role, isActive }: UserWish,
    { address }: Pick<Client, 'address'>,
  ): Promise<Outcome<User, 'not_found' | 'invalid_state'>> => {
    if (userId === adminId) return refuse('invalid_state', 'Another admin must change your own account.');
    const wish = { ...(role !== undefined && { role }), ...(isActive !== undefined && { isActive }) };
    const user = await users.change(userId, wish);
    if (!user || user === 'email_taken') return refuse('not_found', 'There is no such user.');
    if (!user.isActive) await sessions.end(userId);
    changed(userId);
    audit({ kind: 'user_changed', actorId: adminId, userId, address, details: wish });
    return accept(user);
  };
