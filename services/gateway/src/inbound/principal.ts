import type { IncomingMessage } from 'node:http';

/** Who asks. Everything a request reads or changes is scoped to its owner; admins reach every owner's. */
export type Principal = {
  readonly ownerId: string;
  readonly role: 'admin' | 'user' | 'viewer';
};

/** Tells who sends a request. The place where accounts plug in. */
export type Authenticate = (request: IncomingMessage) => Promise<Principal>;

/** Without accounts there is one tenant, and everyone is in it. */
export const anonymous: Authenticate = async () => ({ ownerId: 'anonymous', role: 'user' });

/** Whose jobs a caller reaches, as `esl.jobs.v1.Scope`. */
export const scopeOf = ({ ownerId, role }: Principal) =>
  role === 'admin'
    ? ({ reach: { case: 'everyone', value: true } } as const)
    : ({ reach: { case: 'ownerId', value: ownerId } } as const);
