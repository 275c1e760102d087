import type { Role } from '@esl-pipeline/contracts';
import type { Session, User } from './account.ts';

export type UserChange = Partial<Pick<User, 'email' | 'passwordHash' | 'role' | 'isActive' | 'lastLoginAt'>>;

export type UserQuery = {
  /** Part of an email address. */
  readonly search: string | null;
  readonly role: Role | null;
  readonly isActive: boolean | null;
  readonly after: string | null;
  readonly limit: number;
};

export type UserStore = {
  readonly add: (user: User) => Promise<'added' | 'email_taken'>;
  readonly byId: (id: string) => Promise<User | null>;
  readonly byEmail: (email: string) => Promise<User | null>;
  /** Null when there is no such user. */
  readonly change: (id: string, change: UserChange) => Promise<User | null | 'email_taken'>;
  /** Newest first. */
  readonly list: (query: UserQuery) => Promise<{ users: readonly User[]; total: number }>;
  readonly count: () => Promise<number>;
};

/** What decides whether a session may go on. */
export type Standing = {
  readonly sessionId: string;
  readonly userId: string;
  readonly role: Role;
  readonly isActive: boolean;
  readonly endedAt: Date | null;
  readonly expiresAt: Date;
};

export type SessionStore = {
  readonly open: (session: Session) => Promise<void>;
  readonly byFamily: (familyHash: string) => Promise<Session | null>;
  /** Exchanges one secret for the next, if the first is still the session's and the session is open. */
  readonly rotate: (
    familyHash: string,
    secret: { readonly from: string; readonly to: string },
    expiresAt: Date,
  ) => Promise<Session | null>;
  /** Open ones, the most recently used first. */
  readonly ofUser: (userId: string) => Promise<readonly Session[]>;
  /** Ends some or all sessions of a user; answers how many there were. */
  readonly end: (
    userId: string,
    which?: { readonly only?: string; readonly except?: string },
  ) => Promise<number>;
  /** In no particular order; unknown sessions are left out. */
  readonly standings: (sessionIds: readonly string[]) => Promise<readonly Standing[]>;
};

/** What may be done how often: `burst` at once, and `times` every `perMs` after that. */
export type Limit = { readonly times: number; readonly perMs: number; readonly burst: number };

export type RateLimits = {
  /** Takes one turn. Answers 0, or how long to wait for one, in ms. */
  readonly take: (key: string, limit: Limit) => Promise<number>;
  /** Returns a turn that turned out not to count. */
  readonly giveBack: (key: string, limit: Limit) => Promise<void>;
};
