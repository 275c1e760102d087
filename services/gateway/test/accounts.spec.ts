import { eventually } from '@esl/kit/testing/world';
import { sessionListSchema, signedInSchema, userAnswerSchema } from '@esl-pipeline/contracts';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newSigningKey } from '../src/accounts/new-signing-key.ts';
import { jwtKeys, openSigningKeys } from '../src/accounts/signing-keys.ts';
import { readEvents } from './event-reader.ts';
import { client, expectProblem, type GatewayWorld, openGatewayWorld, PASSWORD } from './gateway-world.ts';

const oldKey = newSigningKey();
const key = newSigningKey();
const JWT_KEYS = JSON.stringify({ keys: [key, oldKey] });

let system: GatewayWorld;
let url: string;
let other: string;
let visitor: ReturnType<typeof client>;
beforeAll(async () => {
  system = await openGatewayWorld();
  const env = { JWT_KEYS, AUTH_FAILURE_LIMIT: '5', AUTH_COOKIES: 'true' };
  ({ url } = await system.startGateway(env));
  ({ url: other } = await system.startGateway(env));
  visitor = client(url, null);
});
afterAll(() => system.world[Symbol.asyncDispose]());

let made = 0;
const newEmail = () => `ana.${++made}@example.com`;
const register = async (more: object = {}) => {
  const credentials = { email: newEmail(), password: PASSWORD, ...more };
  const { status, body } = await visitor.post('/auth/register', credentials);
  expect(status).toBe(201);
  return { ...credentials, id: (body as { user: { id: string } }).user.id };
};
const logIn = async ({ email, password }: { email: string; password: string }, at = url) => {
  const answer = await client(at, null).post('/auth/login', { email, password });
  expect(answer.status).toBe(200);
  const body = signedInSchema.strict().parse(answer.body);
  return { ...body, accessToken: body.accessToken ?? '', refreshToken: body.refreshToken ?? '' };
};
const signedUp = async (more: object = {}) => {
  const user = await register(more);
  const tokens = await logIn(user);
  return { ...user, ...tokens, http: client(url, tokens.accessToken) };
};
const me = (token: string, at = url) => client(at, token).send('/auth/me');
const refresh = (refreshToken: unknown) => visitor.post('/auth/refresh', { refreshToken });

describe('registering', () => {
  it('makes an account under a trimmed address in lower case', async () => {
    const email = newEmail();
    const answer = await visitor.post('/auth/register', {
      email: `  ${email.toUpperCase()} `,
      password: PASSWORD,
    });
    expect(answer).toMatchObject({
      status: 201,
      body: { message: expect.any(String), user: { email, role: 'user', isActive: true, lastLoginAt: null } },
    });
    expect(JSON.stringify(answer.body)).not.toMatch(/argon|hash|password/i);
    expectProblem(await visitor.post('/auth/register', { email, password: PASSWORD }), 409, 'email_exists');
  });

  it.each([
    ['missing_fields', {}],
    ['missing_fields', { email: 'a@example.com' }],
    ['missing_fields', { email: '', password: PASSWORD }],
    ['missing_fields', { email: null, password: PASSWORD }],
    ['invalid_email', { email: 'no address', password: PASSWORD }],
    ['invalid_email', { email: { $gt: '' }, password: PASSWORD }],
    ['invalid_email', { email: ['a@example.com'], password: PASSWORD }],
    ['invalid_email', { email: `${'a'.repeat(300)}@example.com`, password: PASSWORD }],
    ['invalid_email', { email: 'a\0@example.com', password: PASSWORD }],
    ['weak_password', { email: 'a@example.com', password: 'Sh0rt!' }],
    ['weak_password', { email: 'a@example.com', password: 'no-upper-case-1' }],
    ['weak_password', { email: 'a@example.com', password: 'NO-LOWER-CASE-1' }],
    ['weak_password', { email: 'a@example.com', password: 'No-digits-here' }],
    ['weak_password', { email: 'a@example.com', password: 'NoSymbols1here' }],
    ['weak_password', { email: 'a@example.com', password: `Aa1!${'x'.repeat(1_021)}` }],
    ['weak_password', { email: 'a@example.com', password: { $ne: null } }],
    ['weak_password', { email: 'a@example.com', password: 12_345_678 }],
    ['invalid_role', { email: 'a@example.com', password: PASSWORD, role: 'admin' }],
    ['invalid_role', { email: 'a@example.com', password: PASSWORD, role: ['user'] }],
    ['invalid_body', [PASSWORD]],
  ])('is refused with %s for %j', async (code, body) => {
    expectProblem(await visitor.post('/auth/register', body), 400, code);
  });

  it('says what a password lacks', async () => {
    const { body } = await visitor.post('/auth/register', { email: newEmail(), password: 'abcdefgh' });
    expect(body).toMatchObject({ details: { missing: ['uppercase', 'digit', 'symbol'] } });
  });

  it('ignores fields that nobody may choose', async () => {
    const user = await register({
      id: 'mine',
      isActive: false,
      passwordHash: 'x',
      __proto__: { role: 'admin' },
    });
    expect(user.id).not.toBe('mine');
    expect((await logIn(user)).user).toMatchObject({ role: 'user', isActive: true });
  });
});

describe('logging in', () => {
  it('answers tokens, and when they end', async () => {
    const user = await register();
    const { user: shown, ...tokens } = await logIn({ ...user, email: user.email.toUpperCase() });
    expect(shown).toEqual({ id: user.id, email: user.email, role: 'user', isActive: true });
    expect(tokens).toMatchObject({ expiresIn: 900, refreshExpiresIn: 604_800, csrfToken: null });
    expect(decodeProtectedHeader(tokens.accessToken)).toEqual({ alg: 'EdDSA', kid: key.kid, typ: 'at+jwt' });
    const claims = decodeJwt(tokens.accessToken);
    expect(Object.keys(claims).sort()).toEqual(['aud', 'exp', 'iat', 'iss', 'sid', 'sub']);
    const answer = await me(tokens.accessToken);
    const { user: profile } = userAnswerSchema.strict().parse(answer.body);
    expect(profile.lastLoginAt).not.toBeNull();
    expect((await client(url, tokens.accessToken).send('/user/profile')).body).toEqual(answer.body);
  });

  it('counts every character of a password, beyond what older hashes would', async () => {
    const password = `Aa1!${'x'.repeat(1_019)}`;
    const { email } = await register({ password: `${password}y` });
    expectProblem(
      await visitor.post('/auth/login', { email, password: `${password}z` }),
      401,
      'invalid_credentials',
    );
    await logIn({ email, password: `${password}y` });
  });

  it('says the same to an unknown address as to a wrong password', async () => {
    const { email } = await register();
    const wrong = await visitor.post('/auth/login', { email, password: 'Wrong-Horse-7' });
    const unknown = await visitor.post('/auth/login', { email: newEmail(), password: PASSWORD });
    expectProblem(wrong, 401, 'invalid_credentials');
    expect(unknown.body).toEqual(wrong.body);
  });

  it.each([
    ['missing_fields', { email: 'a@example.com' }],
    ['missing_fields', { email: { $gt: '' }, password: { $gt: '' } }],
    ['missing_fields', { email: 'a@example.com', password: ['x'] }],
    ['invalid_body', '{"email": "a@example.com", "password"'],
  ])('is refused with %s for %j', async (code, body) => {
    expectProblem(await visitor.post('/auth/login', body), 400, code);
  });

  it('is closed to guessers for a while, over all replicas, and to the right password too', async () => {
    const user = await register();
    const guess = (at: string) =>
      client(at, null).post('/auth/login', { email: user.email, password: 'Wrong-Horse-7' });
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => guess(n % 2 ? url : other)));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
    const late = await visitor.post('/auth/login', user);
    expectProblem(late, 429, 'rate_limited');
    const waitS = Number(late.headers.get('retry-after'));
    expect(Number.isInteger(waitS) && waitS >= 1 && waitS <= 900).toBe(true);
    await signedUp();
  });

  it('is not closed by those who know the password', async () => {
    const user = await register();
    for (let time = 0; time < 8; time += 1) await logIn(user);
  });
});

describe('an access token', () => {
  it.each([
    ['none', '', 'not_authenticated'],
    ['another scheme', 'Basic YTpi', 'not_authenticated'],
    ['garbage', 'Bearer garbage', 'invalid_token'],
    ['a very long one', `Bearer ${'x'.repeat(9_000)}`, 'invalid_token'],
    ['no signature', `Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`, 'invalid_token'],
  ])('that is %s is refused', async (_what, authorization, code) => {
    const answer = await visitor.send('/auth/me', { headers: authorization ? { authorization } : {} });
    expectProblem(answer, 401, code);
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  /** A token of our own making, which differs in one point from a good one. */
  const forged = async (over: {
    key?: ReturnType<typeof newSigningKey>;
    kid?: string;
    typ?: string;
    issuer?: string;
    audience?: string;
    expiresAt?: number;
    userId?: string;
  }) => {
    const user = await signedUp();
    const { sub = '', sid } = decodeJwt(user.accessToken);
    const [signing] = jwtKeys.parse(JSON.stringify({ keys: [over.key ?? key] }));
    if (!signing) throw new Error('no key');
    const { signing: made } = await openSigningKeys([signing]);
    return await new SignJWT({ sid })
      .setProtectedHeader({ alg: 'EdDSA', kid: over.kid ?? made.kid, typ: over.typ ?? 'at+jwt' })
      .setIssuer(over.issuer ?? 'esl-pipeline')
      .setAudience(over.audience ?? 'esl-gateway')
      .setSubject(over.userId ?? sub)
      .setIssuedAt()
      .setExpirationTime(over.expiresAt ?? Math.floor(Date.now() / 1_000) + 60)
      .sign(made.key);
  };

  it.each([
    ['is ours', {}, null],
    ['is signed with an older key that still counts', { key: oldKey }, null],
    ['has expired', { expiresAt: 1_000 }, 'token_expired'],
    ['is signed with a key of somebody else', { key: newSigningKey() }, 'invalid_token'],
    [
      'is signed with a strange key under the name of ours',
      { key: newSigningKey(), kid: key.kid },
      'invalid_token',
    ],
    ['is of another kind', { typ: 'JWT' }, 'invalid_token'],
    ['was made by another', { issuer: 'someone' }, 'invalid_token'],
    ['is meant for another', { audience: 'something' }, 'invalid_token'],
    ['names another user than its session', { userId: 'anonymous' }, 'invalid_token'],
  ] as const)('that %s is judged so', async (_what, over, code) => {
    const answer = await me(await forged(over));
    if (code === null) expect(answer.status).toBe(200);
    else expectProblem(answer, 401, code);
  });

  it('is no refresh token, nor the reverse', async () => {
    const { accessToken, refreshToken } = await signedUp();
    expectProblem(await refresh(accessToken), 401, 'invalid_refresh_token');
    expectProblem(await me(refreshToken), 401, 'invalid_token');
  });

  it('can be checked by others with the public keys', async () => {
    const { status, body } = await visitor.send('/.well-known/jwks.json');
    const { keys } = body as { keys: Record<string, unknown>[] };
    expect([status, keys.map(({ kid }) => kid)]).toEqual([200, [key.kid, oldKey.kid]]);
    for (const each of keys)
      expect(Object.keys(each).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
  });

  it('in the query counts only where streams are opened', async () => {
    const { accessToken } = await signedUp();
    expectProblem(await visitor.send(`/auth/me?access_token=${accessToken}`), 401, 'not_authenticated');
    const reader = await readEvents(`${url}/jobs/events?jobId=*&access_token=${accessToken}`);
    expect(reader.status).toBe(200);
    reader.vanish();
  });
});

describe('refreshing', () => {
  it('gives a new pair each time, under the same session', async () => {
    const user = await signedUp();
    const answer = await refresh(user.refreshToken);
    expect(answer.status).toBe(200);
    const next = signedInSchema.strict().parse(answer.body);
    expect(next.refreshToken).not.toBe(user.refreshToken);
    expect(decodeJwt(next.accessToken ?? '').sid).toBe(decodeJwt(user.accessToken).sid);
    expect((await me(next.accessToken ?? '')).status).toBe(200);
  });

  it('with a token that was used before ends the session, for thief and owner alike', async () => {
    const user = await signedUp();
    const owner = signedInSchema.parse((await refresh(user.refreshToken)).body);
    const stream = await readEvents(`${url}/jobs/events?jobId=*`, {
      authorization: `Bearer ${owner.accessToken}`,
    });
    expectProblem(await refresh(user.refreshToken), 401, 'invalid_refresh_token');
    expectProblem(await refresh(owner.refreshToken), 401, 'invalid_refresh_token');
    for (const at of [url, other])
      await eventually(async () => ((await me(owner.accessToken ?? '', at)).status === 401 ? true : null));
    await stream.ended;
  });

  it('from two places at once keeps neither', async () => {
    const user = await signedUp();
    const answers = await Promise.all([refresh(user.refreshToken), refresh(user.refreshToken)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401]);
    expectProblem(await me(user.accessToken), 401, 'invalid_token');
  });

  it.each([
    [400, 'missing_refresh_token', undefined],
    [400, 'missing_refresh_token', ''],
    [400, 'missing_refresh_token', { $ne: '' }],
    [401, 'invalid_refresh_token', 'x'],
    [401, 'invalid_refresh_token', 'A'.repeat(64)],
  ])('answers %i %s to %j', async (status, code, token) => {
    expectProblem(await refresh(token), status, code);
  });
});

describe('sessions', () => {
  it('are listed, and end one by one', async () => {
    const user = await signedUp();
    const second = await logIn(user, other);
    const list = await user.http.send('/user/sessions');
    const { sessions, total } = sessionListSchema.strict().parse(list.body);
    expect(total).toBe(2);
    expect(sessions.map(({ current }) => current).sort()).toEqual([false, true]);
    const there = sessions.find(({ current }) => !current);
    expect((await user.http.send(`/user/sessions/${there?.id}`, { method: 'DELETE' })).status).toBe(204);
    await eventually(async () => ((await me(second.accessToken, other)).status === 401 ? true : null));
    expectProblem(await refresh(second.refreshToken), 401, 'invalid_refresh_token');
    expectProblem(
      await user.http.send(`/user/sessions/${there?.id}`, { method: 'DELETE' }),
      404,
      'not_found',
    );
    expect((await user.http.send('/auth/me')).status).toBe(200);
  });

  it('of others look like none', async () => {
    const [ana, ben] = [await signedUp(), await signedUp()];
    const { sid } = decodeJwt(ben.accessToken);
    expectProblem(await ana.http.send(`/user/sessions/${sid}`, { method: 'DELETE' }), 404, 'not_found');
    expect((await ben.http.send('/auth/me')).status).toBe(200);
  });

  it('end with a logout, at once and on every replica, and their streams with them', async () => {
    const user = await signedUp();
    const authorization = `Bearer ${user.accessToken}`;
    const streams = await Promise.all(
      [url, other].map((at) => readEvents(`${at}/jobs/events?jobId=*`, { authorization })),
    );
    expect((await me(user.accessToken, other)).status).toBe(200);
    expect((await user.http.send('/auth/logout', { method: 'POST' })).status).toBe(204);
    expectProblem(await me(user.accessToken), 401, 'invalid_token');
    await eventually(async () => ((await me(user.accessToken, other)).status === 401 ? true : null), 5_000);
    await Promise.all(streams.map(({ ended }) => ended));
    expectProblem(await refresh(user.refreshToken), 401, 'invalid_refresh_token');
  });

  it('of a deactivated user end, and their streams close within five seconds on every replica', async () => {
    const user = await signedUp();
    const authorization = `Bearer ${user.accessToken}`;
    const streams = await Promise.all(
      [url, other].map((at) => readEvents(`${at}/jobs/events?jobId=*`, { authorization })),
    );
    // As another replica would whose message was lost: only the database knows.
    const users = system.world.mongo.db.collection<{ _id: string; isActive: boolean }>('users');
    await users.updateOne({ _id: user.id }, { $set: { isActive: false } });
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error('still open')), 5_000).unref());
    await Promise.race([Promise.all(streams.map(({ ended }) => ended)), late]);
    expectProblem(await me(user.accessToken), 401, 'user_inactive');
    expectProblem(await refresh(user.refreshToken), 401, 'user_inactive');
    expectProblem(await visitor.post('/auth/login', user), 401, 'user_inactive');
  });

  it('outlive the access token in a stream, and no stream outlives the refresh token', async () => {
    const brief = await system.startGateway({
      JWT_KEYS,
      JWT_EXPIRES_IN: '1s',
      REFRESH_TOKEN_EXPIRES_IN: '4s',
    });
    const user = await register();
    const { accessToken } = await logIn(user, brief.url);
    const stream = await readEvents(`${brief.url}/jobs/events?jobId=*&access_token=${accessToken}`);
    await eventually(async () => ((await me(accessToken, brief.url)).status === 401 ? true : null));
    expectProblem(await me(accessToken, brief.url), 401, 'token_expired');
    let open = true;
    void stream.ended.then(() => {
      open = false;
    });
    expect(open).toBe(true);
    await stream.ended;
  });
});

describe('one’s own profile', () => {
  const put = (http: ReturnType<typeof client>, body: unknown) =>
    http.send('/user/profile', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('takes a new address, which is the one to log in with', async () => {
    const user = await signedUp();
    const email = newEmail();
    expect(await put(user.http, { email: ` ${email.toUpperCase()}` })).toMatchObject({
      status: 200,
      body: { user: { email } },
    });
    await logIn({ ...user, email });
    expectProblem(await visitor.post('/auth/login', user), 401, 'invalid_credentials');
    expectProblem(await put((await signedUp()).http, { email }), 409, 'email_exists');
  });

  it('takes a new password, which ends every other session', async () => {
    const user = await signedUp();
    const elsewhere = await logIn(user);
    const newPassword = 'Other-Horse-8';
    const wish = { currentPassword: user.password, newPassword };
    expect((await put(user.http, wish)).status).toBe(200);
    expectProblem(await me(elsewhere.accessToken), 401, 'invalid_token');
    expectProblem(await refresh(elsewhere.refreshToken), 401, 'invalid_refresh_token');
    expect((await user.http.send('/auth/me')).status).toBe(200);
    expectProblem(await visitor.post('/auth/login', user), 401, 'invalid_credentials');
    await logIn({ ...user, password: newPassword });
  });

  it.each([
    [400, 'missing_fields', { newPassword: 'Other-Horse-8' }],
    [401, 'invalid_credentials', { currentPassword: 'Wrong-Horse-7', newPassword: 'Other-Horse-8' }],
    [400, 'weak_password', { currentPassword: PASSWORD, newPassword: 'weak' }],
    [400, 'invalid_email', { email: 'none' }],
    [400, 'invalid_email', { email: { $set: 1 } }],
    [400, 'invalid_body', [1]],
  ])('answers %i %s to %j', async (status, code, body) => {
    expectProblem(await put((await signedUp()).http, body), status, code);
  });

  it('never takes a role, and asks for the current password no more often than a login does', async () => {
    const user = await signedUp();
    const answer = await put(user.http, { role: 'admin', isActive: false });
    expect(answer).toMatchObject({ status: 200, body: { user: { role: 'user', isActive: true } } });
    const guess = { currentPassword: 'Wrong-Horse-7', newPassword: 'Other-Horse-8' };
    const statuses = [];
    for (let time = 0; time < 6; time += 1) statuses.push((await put(user.http, guess)).status);
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
  });
});

describe('cookies', () => {
  const logInWithCookies = async () => {
    const user = await register();
    const response = await fetch(`${url}/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...user, cookies: true }),
    });
    const { csrfToken, ...body } = signedInSchema.strict().parse(await response.json());
    expect(body).toMatchObject({ accessToken: null, refreshToken: null });
    const set = response.headers.getSetCookie();
    return { set, csrfToken: csrfToken ?? '', cookie: set.map((each) => each.split(';')[0]).join('; ') };
  };

  it('hold the tokens where scripts do not reach them', async () => {
    const { set, csrfToken, cookie } = await logInWithCookies();
    expect(set).toHaveLength(3);
    for (const each of set) expect(each).toMatch(/^__Host-esl_.*; Path=\/; .*Secure; SameSite=Strict/);
    expect(set.filter((each) => each.includes('HttpOnly')).map((each) => each.split('=')[0])).toEqual([
      '__Host-esl_access',
      '__Host-esl_refresh',
    ]);
    expect(cookie).toContain(`__Host-esl_csrf=${csrfToken}`);
    expect((await visitor.send('/auth/me', { headers: { cookie } })).status).toBe(200);
    const stream = await readEvents(`${url}/jobs/events?jobId=*`, { authorization: '', cookie });
    expect(stream.status).toBe(401);
    stream.vanish();
  });

  it('change nothing without the token that only our own pages can read', async () => {
    const { csrfToken, cookie } = await logInWithCookies();
    const change = (headers: Record<string, string>) =>
      visitor.send('/user/profile', {
        method: 'PUT',
        headers: { cookie, 'content-type': 'application/json', ...headers },
        body: '{}',
      });
    expectProblem(await change({}), 403, 'csrf_token_invalid');
    expectProblem(await change({ 'x-csrf-token': 'x'.repeat(csrfToken.length) }), 403, 'csrf_token_invalid');
    expect((await change({ 'x-csrf-token': csrfToken })).status).toBe(200);
  });

  it('refresh, and are taken away by a logout', async () => {
    const { csrfToken, cookie } = await logInWithCookies();
    const post = (path: string, headers: Record<string, string>) =>
      fetch(`${url}${path}`, { method: 'POST', headers: { cookie, ...headers } });
    expect((await post('/auth/refresh', {})).status).toBe(403);
    const refreshed = await post('/auth/refresh', { 'x-csrf-token': csrfToken });
    expect([refreshed.status, refreshed.headers.getSetCookie().length]).toEqual([200, 3]);
    const left = await post('/auth/logout', { 'x-csrf-token': csrfToken });
    expect(left.status).toBe(204);
    for (const each of left.headers.getSetCookie()) expect(each).toMatch(/^__Host-esl_\w+=; Max-Age=0;/);
    expect((await post('/auth/refresh', { 'x-csrf-token': csrfToken })).status).toBe(401);
  });

  it('are not taken where they are not offered', async () => {
    const plain = await system.startGateway({ JWT_KEYS });
    const { cookie } = await logInWithCookies();
    expectProblem(
      await client(plain.url, null).send('/auth/me', { headers: { cookie } }),
      401,
      'not_authenticated',
    );
    const wish = { ...(await register()), cookies: true };
    expectProblem(await client(plain.url, null).post('/auth/login', wish), 400, 'invalid_body');
  });
});

describe('what the database holds', () => {
  it('opens nothing to those who read it', async () => {
    const user = await signedUp();
    await refresh(user.refreshToken);
    const { db } = system.world.mongo;
    const everything = JSON.stringify(
      await Promise.all(
        ['users', 'sessions', 'audit_log', 'rate_limits'].map((name) => db.collection(name).find().toArray()),
      ),
    );
    for (const secret of [user.password, user.accessToken, user.refreshToken, user.refreshToken.slice(0, 32)])
      expect(everything).not.toContain(secret);
    expect(everything).toContain('$argon2id$v=19$m=19456,t=2,p=1$');
  });

  it('tells what happened to an account', async () => {
    const user = await signedUp();
    await refresh(user.refreshToken);
    await refresh(user.refreshToken);
    await visitor.post('/auth/login', { email: user.email, password: 'Wrong-Horse-7' });
    const log = system.world.mongo.db.collection('audit_log');
    const kinds = await eventually(async () => {
      const records = await log.find({ userId: user.id }).sort({ _id: 1 }).toArray();
      return records.length >= 4 ? records.map(({ kind }) => kind) : null;
    });
    expect(kinds.sort()).toEqual(['refresh_token_reused', 'registered', 'sign_in_failed', 'signed_in']);
  });
});
