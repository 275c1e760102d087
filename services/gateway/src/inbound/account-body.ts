import type { UserDto } from '@esl-pipeline/contracts';
import type { User } from '../accounts/account.ts';
import { problem } from './problem.ts';
import type { JsonObject } from './request-body.ts';

/** A user as clients see it: nothing of the password. */
export const userDto = ({ id, email, role, isActive, createdAt, updatedAt, lastLoginAt }: User): UserDto => ({
  id,
  email,
  role,
  isActive,
  createdAt: createdAt.toISOString(),
  updatedAt: updatedAt.toISOString(),
  lastLoginAt: lastLoginAt?.toISOString() ?? null,
});

const isMissing = (value: unknown) => value === undefined || value === null || value === '';

export const requireFields = (body: JsonObject, fields: readonly string[]): void => {
  const missing = fields.filter((field) => isMissing(body[field]));
  if (missing.length === 0) return;
  const names = missing.map((field) => `"${field}"`).join(' and ');
  throw problem('missing_fields', `The body lacks ${names}.`, {
    details: { issues: missing.map((path) => ({ path, message: 'is missing' })) },
  });
};
