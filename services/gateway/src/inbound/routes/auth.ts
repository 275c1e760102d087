import {
  loginSchema,
  refreshSchema,
  registerSchema,
  signedInSchema,
  userAnswerSchema,
  userChangedSchema,
  weaknesses,
} from '@esl-pipeline/contracts';
import { z } from 'zod';
import type { Audit } from '../../accounts/audit.ts';
import type { SessionStore, UserStore } from '../../accounts/needs.ts';
import type { SigningKeys } from '../../accounts/signing-keys.ts';
import type { registerUser } from '../../app/register-user.ts';
import type { refreshSession, SignedIn, signIn } from '../../app/sign-in.ts';
import { requireFields, userDto } from '../account-body.ts';
import { clientOf } from '../client.ts';
import { problem, refused } from '../problem.ts';
import { objectBody, parseFields } from '../request-body.ts';
import type { Handler, Reply, Route } from '../route.ts';
import { checkCsrf, clearedCookies, refreshCookie, sessionCookies } from '../session-cookies.ts';

const jwksSchema = z.object({ keys: z.array(z.looseObject({ kid: z.string(), kty: z.string() })) });

export const authRoutes = ({
  register,
  logIn,
  refresh,
  users,
  sessions,
  keys,
  lifetimes,
  cookies,
  audit,
  changed,
}: {
  readonly register: ReturnType<typeof registerUser>;
  readonly logIn: ReturnType<typeof signIn>;
  readonly refresh: ReturnType<typeof refreshSession>;
  readonly users: Pick<UserStore, 'byId'>;
  readonly sessions: Pick<SessionStore, 'end'>;
  readonly keys: Pick<SigningKeys, 'publicSet'>;
  readonly lifetimes: { readonly accessMs: number; readonly refreshMs: number };
  /** Whether clients may ask for cookies. */
  readonly cookies: boolean;
  readonly audit: Audit;
  readonly changed: (userId: string) => void;
}): Route[] => {
  const signedIn = (
    { user, accessToken, refreshToken }: SignedIn,
    message: string,
    inCookies: boolean,
  ): Reply => {
    const { id, email, role, isActive } = user;
    const tokens = {
      accessToken,
      refreshToken,
      expiresIn: Math.floor(lifetimes.accessMs / 1_000),
      refreshExpiresIn: Math.floor(lifetimes.refreshMs / 1_000),
    };
    const body = { message, user: { id, email, role, isActive }, ...tokens, csrfToken: null };
    if (!inCookies) return { status: 200, body };
    const { csrfToken, setCookie } = sessionCookies(tokens);
    return {
      status: 200,
      body: { ...body, accessToken: null, refreshToken: null, csrfToken },
      headers: { 'set-cookie': setCookie },
    };
  };

  const postRegister: Handler = async ({ request }) => {
    const body = objectBody(request.body, 'invalid_body', 'The body');
    requireFields(body, ['email', 'password']);
    const missing = typeof body.password === 'string' ? weaknesses(body.password) : ['text'];
    if (
      typeof body.email === 'string' &&
      missing.length > 0 &&
      registerSchema.shape.email.safeParse(body.email).success
    )
      throw problem('weak_password', `The password is too weak: it lacks ${missing.join(', ')}.`, {
        details: { missing, issues: [{ path: 'password', message: 'is too weak' }] },
      });
    const codes = { email: 'invalid_email', password: 'weak_password', role: 'invalid_role' } as const;
    const { role = 'user', ...wish } = parseFields(registerSchema, codes, body);
    const outcome = await register({ ...wish, role }, clientOf(request));
    if (!outcome.ok) throw refused(outcome.refusal);
    return { status: 201, body: { message: 'Registered.', user: userDto(outcome.value) } };
  };

  const postLogin: Handler = async ({ request }) => {
    const body = objectBody(request.body, 'invalid_body', 'The body');
    requireFields(body, ['email', 'password']);
    const codes = { email: 'missing_fields', password: 'missing_fields', cookies: 'invalid_body' } as const;
    const wish = parseFields(loginSchema, codes, body);
    const inCookies = wish.cookies === true;
    if (inCookies && !cookies) throw problem('invalid_body', '"cookies" are not offered here.');
    const email = wish.email.trim().toLowerCase();
    const outcome = await logIn({ email, password: wish.password }, clientOf(request));
    if (!outcome.ok) throw refused(outcome.refusal);
    return signedIn(outcome.value, 'Logged in.', inCookies);
  };

  const postRefresh: Handler = async ({ request }) => {
    const body = objectBody(request.body ?? {}, 'invalid_body', 'The body');
    const { refreshToken } = parseFields(refreshSchema, { refreshToken: 'missing_refresh_token' }, body);
    const kept = cookies && !refreshToken ? refreshCookie(request) : null;
    if (kept) checkCsrf(request);
    const token = refreshToken || kept;
    if (!token) throw problem('missing_refresh_token', 'The body lacks "refreshToken".');
    const outcome = await refresh(token, clientOf(request));
    if (!outcome.ok) throw refused(outcome.refusal);
    return signedIn(outcome.value, 'Refreshed.', kept !== null);
  };

  const getMe: Handler = async ({ principal }) => {
    const user = await users.byId(principal.ownerId);
    if (!user) throw problem('not_authenticated', 'Log in first.');
    return { status: 200, body: { user: userDto(user) } };
  };

  const postLogout: Handler = async ({ principal, request }) => {
    const { ownerId: userId, session } = principal;
    if (session) await sessions.end(userId, { only: session.sessionId });
    changed(userId);
    audit({ kind: 'signed_out', actorId: userId, userId, address: clientOf(request).address });
    return { status: 204, body: null, ...(cookies && { headers: { 'set-cookie': clearedCookies } }) };
  };

  const common = { reach: 'extended', tag: 'Accounts' } as const;
  const open = { ...common, method: 'post', access: 'public' } as const;
  const me = {
    ...common,
    method: 'get',
    access: 'viewer',
    answers: { 200: { description: 'The user.', schema: userAnswerSchema } },
    errors: [],
    handle: getMe,
  } as const satisfies Partial<Route>;

  return [
    {
      ...open,
      path: '/auth/register',
      name: 'register',
      summary: 'Make an account',
      body: { schema: registerSchema, required: true },
      answers: { 201: { description: 'The account.', schema: userChangedSchema } },
      errors: [
        'missing_fields',
        'invalid_email',
        'weak_password',
        'invalid_role',
        'email_exists',
        'rate_limited',
      ],
      handle: postRegister,
    },
    {
      ...open,
      path: '/auth/login',
      name: 'logIn',
      summary: 'Begin a session',
      body: { schema: loginSchema, required: true },
      answers: { 200: { description: 'The tokens.', schema: signedInSchema } },
      errors: ['missing_fields', 'invalid_credentials', 'user_inactive', 'rate_limited'],
      handle: postLogin,
    },
    {
      ...open,
      path: '/auth/refresh',
      name: 'refreshSession',
      summary: 'Exchange a refresh token for new tokens',
      body: { schema: refreshSchema, required: false },
      answers: { 200: { description: 'The new tokens.', schema: signedInSchema } },
      errors: ['missing_refresh_token', 'invalid_refresh_token', 'user_inactive', 'csrf_token_invalid'],
      handle: postRefresh,
    },
    { ...me, path: '/auth/me', name: 'getMe', summary: 'Who you are' },
    { ...me, path: '/user/profile', name: 'getProfile', summary: 'Who you are' },
    {
      ...common,
      method: 'post',
      access: 'viewer',
      path: '/auth/logout',
      name: 'logOut',
      summary: 'End this session',
      answers: { 204: { description: 'It has ended.' } },
      errors: [],
      handle: postLogout,
    },
    {
      ...common,
      method: 'get',
      access: 'public',
      path: '/.well-known/jwks.json',
      name: 'getJwks',
      summary: 'The public keys of access tokens',
      answers: { 200: { description: 'A JSON Web Key Set.', schema: jwksSchema } },
      errors: [],
      handle: async () => ({
        status: 200,
        body: keys.publicSet,
        headers: { 'cache-control': 'public, max-age=300' },
      }),
    },
  ];
};
