import type { IncomingMessage } from 'node:http';

/** What a caller may do, from least to most; each role may do what those before it may. */
export const ROLES = ['viewer', 'user', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export const hasRole = ({ role }: Principal, least: Role): boolean =>
  ROLES.indexOf(role) >= ROLES.indexOf(least);

/** Who asks. Everything a request reads or changes is scoped to its owner; admins reach every owner's. */
export type Principal = {
  readonly ownerId: string;
  readonly role: Role;
};

/** Tells who sends a request. The place where accounts plug in. */
export type Authenticate = (request: IncomingMessage) => Promise<Principal>;

/** Without accounts there is one tenant, and everyone is in it. */
export const ANONYMOUS: Principal = { ownerId: 'anonymous', role: 'user' };
export const anonymous: Authenticate = async () => ANONYMOUS;

/** Whose jobs a caller reaches, as `esl.jobs.v1.Scope`. */
export const scopeOf = ({ ownerId, role }: Principal) =>
  role === 'admin'
    ? ({ reach: { case: 'everyone', value: true } } as const)
    : ({ reach: { case: 'ownerId', value: ownerId } } as const);
