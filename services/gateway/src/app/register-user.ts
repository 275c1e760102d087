import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import type { Role } from '@esl-pipeline/contracts';
import { v7 as uuidv7 } from 'uuid';
import type { Client, User } from '../accounts/account.ts';
import type { Audit } from '../accounts/audit.ts';
import type { CredentialLimits } from '../accounts/credential-limits.ts';
import type { UserStore } from '../accounts/needs.ts';
import type { Passwords } from '../accounts/passwords.ts';
import { type LimitedCode, tooOften } from './too-often.ts';

export const registerUser =
  ({
    users,
    passwords,
    limits,
    clock,
    audit,
  }: {
    readonly users: Pick<UserStore, 'add'>;
    readonly passwords: Passwords;
    readonly limits: CredentialLimits;
    readonly clock: () => Date;
    readonly audit: Audit;
  }) =>
  async (
    wish: { readonly email: string; readonly password: string; readonly role: Role },
    { address }: Pick<Client, 'address'>,
  ): Promise<Outcome<User, 'email_exists' | LimitedCode>> => {
    const waitMs = await limits.register(address);
    if (waitMs > 0) return tooOften(waitMs, 'Too many accounts are being made from here.');
    const now = clock();
    const user: User = {
      id: uuidv7(),
      email: wish.email,
      passwordHash: await passwords.hash(wish.password),
      role: wish.role,
      isActive: true,
      createdAt: now,
      updatedAt: now,
      lastLoginAt: null,
    };
    if ((await users.add(user)) === 'email_taken')
      return refuse('email_exists', 'There is an account with this email address already.');
    audit({ kind: 'registered', actorId: user.id, userId: user.id, address, details: { role: user.role } });
    return accept(user);
  };
