import type { Role } from '@esl-pipeline/contracts';

export type User = {
  readonly id: string;
  /** Trimmed, in lower case, of one user only. */
  readonly email: string;
  readonly passwordHash: string;
  readonly role: Role;
  readonly isActive: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly lastLoginAt: Date | null;
};

/** One signed-in browser or program. It lasts as long as its refresh token is used in time. */
export type Session = {
  readonly id: string;
  readonly userId: string;
  /** Hashes of the two halves of its refresh token (refresh-token.ts). */
  readonly familyHash: string;
  readonly secretHash: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
  readonly endedAt: Date | null;
  readonly userAgent: string | null;
  readonly address: string | null;
};

/** Where a request comes from, as far as it matters for security. */
export type Client = { readonly address: string; readonly userAgent: string | null };

export const isOpen = (
  { endedAt, expiresAt }: Pick<Session, 'endedAt' | 'expiresAt'>,
  now: number,
): boolean => endedAt === null && expiresAt.getTime() > now;
