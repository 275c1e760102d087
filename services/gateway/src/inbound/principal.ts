import type { Role } from '@esl-pipeline/contracts';
import { ROLES } from '@esl-pipeline/contracts';
import type { Request } from 'express';
import type { Standing } from '../accounts/needs.ts';

/** From least to most; each role may do what those before it may. */
export const hasRole = ({ role }: Principal, least: Role): boolean =>
  ROLES.indexOf(role) >= ROLES.indexOf(least);

/** Who asks. Everything a request reads or changes is scoped to its owner; admins reach every owner's. */
export type Principal = {
  readonly ownerId: string;
  readonly role: Role;
  /** The session that the request belongs to; null without accounts. */
  readonly session: Standing | null;
};

/** Tells who sends a request, or throws a problem. Only where a route says so the token may stand in the query. */
export type Authenticate = (
  request: Request,
  options: { readonly tokenInQuery: boolean },
) => Promise<Principal>;

/** Without accounts there is one tenant, and everyone is in it. */
export const ANONYMOUS: Principal = { ownerId: 'anonymous', role: 'user', session: null };
export const anonymous: Authenticate = async () => ANONYMOUS;

/** Whose jobs a caller reaches, as `esl.jobs.v1.Scope`. */
export const scopeOf = ({ ownerId, role }: Principal) =>
  role === 'admin'
    ? ({ reach: { case: 'everyone', value: true } } as const)
    : ({ reach: { case: 'ownerId', value: ownerId } } as const);
