import { profileChangeSchema, sessionListSchema, userChangedSchema } from '@esl-pipeline/contracts';
import type { Audit } from '../../accounts/audit.ts';
import type { SessionStore } from '../../accounts/needs.ts';
import type { changeProfile } from '../../app/change-profile.ts';
import { userDto } from '../account-body.ts';
import { clientOf } from '../client.ts';
import { notFound, problem, refused } from '../problem.ts';
import { objectBody, parseFields } from '../request-body.ts';
import type { Call, Handler, Route } from '../route.ts';

const sessionOf = ({ principal }: Call) => {
  if (!principal.session) throw problem('not_authenticated', 'Log in first.');
  return principal.session;
};

/** A user's own account: profile and sessions. */
export const userRoutes = ({
  change,
  sessions,
  audit,
  changed,
}: {
  readonly change: ReturnType<typeof changeProfile>;
  readonly sessions: Pick<SessionStore, 'ofUser' | 'end'>;
  readonly audit: Audit;
  readonly changed: (userId: string) => void;
}): Route[] => {
  const putProfile: Handler = async (call) => {
    const { userId, sessionId } = sessionOf(call);
    const body = objectBody(call.request.body, 'invalid_body', 'The body');
    const codes = {
      email: 'invalid_email',
      currentPassword: 'invalid_credentials',
      newPassword: 'weak_password',
    } as const;
    const wish = parseFields(profileChangeSchema, codes, body);
    const outcome = await change({ userId, sessionId }, wish, clientOf(call.request));
    if (!outcome.ok) throw refused(outcome.refusal);
    return { status: 200, body: { message: 'Saved.', user: userDto(outcome.value) } };
  };

  const getSessions: Handler = async (call) => {
    const { userId, sessionId } = sessionOf(call);
    const open = await sessions.ofUser(userId);
    const shown = open.map(({ id, createdAt, lastUsedAt, expiresAt, userAgent, address }) => ({
      id,
      createdAt: createdAt.toISOString(),
      lastUsedAt: lastUsedAt.toISOString(),
      expiresAt: expiresAt.toISOString(),
      userAgent,
      address,
      current: id === sessionId,
    }));
    return { status: 200, body: { sessions: shown, total: shown.length } };
  };

  const deleteSession: Handler = async (call) => {
    const { userId } = sessionOf(call);
    const only = String(call.request.params.sessionId);
    if ((await sessions.end(userId, { only })) === 0) throw notFound();
    changed(userId);
    const { address } = clientOf(call.request);
    audit({ kind: 'session_ended', actorId: userId, userId, address, details: { sessionId: only } });
    return { status: 204, body: null };
  };

  const common = { reach: 'extended', access: 'viewer', tag: 'Accounts' } as const;
  return [
    {
      ...common,
      method: 'put',
      path: '/user/profile',
      name: 'changeProfile',
      summary: 'Change your email address or password',
      body: { schema: profileChangeSchema, required: true },
      answers: { 200: { description: 'As it is now.', schema: userChangedSchema } },
      errors: [
        'invalid_email',
        'weak_password',
        'missing_fields',
        'invalid_credentials',
        'email_exists',
        'rate_limited',
      ],
      handle: putProfile,
    },
    {
      ...common,
      method: 'get',
      path: '/user/sessions',
      name: 'listSessions',
      summary: 'Where you are logged in',
      answers: { 200: { description: 'Your open sessions.', schema: sessionListSchema } },
      errors: [],
      handle: getSessions,
    },
    {
      ...common,
      method: 'delete',
      path: '/user/sessions/:sessionId',
      name: 'endSession',
      summary: 'Log out somewhere else',
      answers: { 204: { description: 'It has ended.' } },
      errors: ['not_found'],
      handle: deleteSession,
    },
  ];
};
