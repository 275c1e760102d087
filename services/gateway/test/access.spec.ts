import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ROLES } from '@esl-pipeline/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEvents } from './event-reader.ts';
import { client, PASSWORD } from './gateway-world.ts';
import { openPeople, type People, type Person } from './people.ts';

// Who may do what: every route of the served document, called by everyone there is. The document is made from the route
// table, so that a new route without a rule here fails.

type Caller = 'nobody' | 'garbage' | 'expired' | 'wrong key' | 'viewer' | 'other' | 'owner' | 'admin';
const CALLERS: readonly Caller[] = [
  'nobody',
  'garbage',
  'expired',
  'wrong key',
  'viewer',
  'other',
  'owner',
  'admin',
];

type Call = { readonly path: string; readonly body?: unknown };
type Rule = {
  /** What is asked for: each time a fresh thing of the owner's. */
  readonly call?: () => Promise<Call> | Call;
  /** What its owner is answered (admins, on routes of theirs). */
  readonly own: number;
  /** What others are answered who may call the route at all. Unset: the same. */
  readonly others?: number;
  /** What an admin is answered. Unset: the same as the owner. */
  readonly admin?: number;
};

let people: People;
let owner: Person;
let callers: Record<Caller, string | null>;
let hook: string;
beforeAll(async () => {
  people = await openPeople();
  owner = await people.join('owner');
  const [viewer, other, admin] = [
    await people.join('viewer', 'viewer'),
    await people.join('other'),
    await people.joinAsAdmin(),
  ];
  callers = {
    nobody: null,
    garbage: 'garbage',
    expired: await people.badToken(owner, 'expired'),
    'wrong key': await people.badToken(owner, 'wrong key'),
    viewer: viewer.token,
    other: other.token,
    owner: owner.token,
    admin: admin.token,
  };
  const receiver = createServer((_request, response) => response.end()).listen(0, '127.0.0.1');
  await new Promise((resolve) => receiver.once('listening', resolve));
  people.system.world.defer(() => receiver.close());
  hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
});
afterAll(() => people.system.world[Symbol.asyncDispose]());

const created = async (path: string, body: unknown): Promise<Record<string, string>> => {
  const answer = await owner.http.post(path, body);
  if (answer.status > 299) throw new Error(`POST ${path} answered ${JSON.stringify(answer.body)}`);
  return answer.body as Record<string, string>;
};
let md = '';
const lesson = async () => {
  md ||= (await people.upload(owner)).md;
  return md;
};
const job = async () => (await created('/jobs', { md: await lesson() })).jobId;
const batch = async () => (await created('/jobs/batch', { items: [{ md: await lesson() }] })).batchId;
/** There can only be a few at a time. */
let lastWebhook: string | undefined;
const webhook = async () => {
  if (lastWebhook) await owner.http.send(`/user/webhooks/${lastWebhook}`, { method: 'DELETE' });
  lastWebhook = (await created('/user/webhooks', { url: hook, events: ['job_created'] })).id;
  return lastWebhook;
};
const file = async () => (await people.upload(owner)).id;

const at =
  (thing: () => Promise<string | undefined>, prefix: string, suffix = '', body?: unknown) =>
  async () => ({
    path: `${prefix}/${await thing()}${suffix}`,
    ...(body !== undefined && { body }),
  });
const NOWHERE = '01981a2b-3c4d-7e5f-8a6b-0123456789ab';

/** By operation id. */
const RULES: Readonly<Record<string, Rule>> = {
  isAlive: { own: 200 },
  isReady: { own: 200 },
  getOpenApi: { own: 200 },
  readDocs: { own: 200 },
  getDocsAsset: { call: () => ({ path: '/docs/start.js' }), own: 200 },
  getJwks: { own: 200 },
  getFile: { call: () => ({ path: '/files/pages/ab/page.html?expires=9999999999&signature=x' }), own: 404 },

  register: {
    call: () => ({
      path: '/auth/register',
      body: { email: `${Math.random()}@example.com`, password: PASSWORD },
    }),
    own: 201,
  },
  logIn: {
    call: () => ({ path: '/auth/login', body: { email: owner.email, password: PASSWORD } }),
    own: 200,
  },
  refreshSession: {
    call: async () => ({
      path: '/auth/refresh',
      body: { refreshToken: (await people.logIn(owner.email)).refreshToken },
    }),
    own: 200,
  },
  getMe: { own: 200 },
  getProfile: { own: 200 },
  changeProfile: { call: () => ({ path: '/user/profile', body: {} }), own: 200 },
  listSessions: { own: 200 },
  endSession: {
    call: async () => {
      await people.logIn(owner.email);
      const { body } = await owner.http.send('/user/sessions');
      const { sessions } = body as { sessions: { id: string; current: boolean }[] };
      return { path: `/user/sessions/${sessions.find(({ current }) => !current)?.id}` };
    },
    own: 204,
    others: 404,
    admin: 404,
  },
  getSettings: { own: 200 },
  changeSettings: {
    call: () => ({ path: '/user/settings', body: { notionToken: 'a-notion-token' } }),
    own: 200,
  },

  uploadLesson: {
    call: () => {
      const body = new FormData();
      body.set('file', new Blob(['# Lesson']), 'lesson.md');
      return { path: '/uploads', body };
    },
    own: 201,
  },
  listFiles: { own: 200 },
  downloadFile: { call: at(file, '/user/files'), own: 200, others: 404, admin: 404 },
  deleteFile: { call: at(file, '/user/files'), own: 204, others: 404, admin: 404 },

  submitJob: {
    call: async () => ({ path: '/jobs', body: { md: await lesson() } }),
    own: 202,
    others: 400,
    admin: 400,
  },
  submitUserJob: {
    call: async () => ({ path: '/user/jobs', body: { md: await lesson() } }),
    own: 202,
    others: 400,
    admin: 400,
  },
  submitBatch: {
    call: async () => ({ path: '/jobs/batch', body: { items: [{ md: await lesson() }] } }),
    own: 202,
    others: 400,
    admin: 400,
  },
  validateLesson: {
    call: async () => ({ path: '/lessons/validate', body: { md: await lesson() } }),
    own: 200,
    others: 400,
    admin: 400,
  },
  listJobs: { own: 200 },
  listUserJobs: { own: 200 },
  getJob: { call: at(job, '/jobs'), own: 200, others: 404 },
  getJobStatus: { call: at(job, '/jobs', '/status'), own: 200, others: 404 },
  getTimeline: { call: at(job, '/jobs', '/timeline'), own: 200, others: 404 },
  listArtifacts: { call: at(job, '/jobs', '/artifacts'), own: 200, others: 404 },
  rescheduleJob: { call: at(job, '/jobs', '', { priority: 'high' }), own: 200, others: 404 },
  retryJob: { call: at(job, '/jobs', '/retry', {}), own: 422, others: 404 },
  actOnJob: { call: at(job, '/jobs', '/actions', { type: 'cancel' }), own: 200, others: 404 },
  rerunAudio: { call: at(job, '/jobs', '/rerun/audio', {}), own: 422, others: 404 },
  followJobs: { call: () => ({ path: '/jobs/events?jobId=*' }), own: 200 },
  getJobOptions: { own: 200 },
  listBatches: { own: 200 },
  getBatch: { call: at(batch, '/batches'), own: 200, others: 404 },
  cancelBatch: { call: at(batch, '/batches', '/cancel', {}), own: 200, others: 404 },
  retryFailedOfBatch: { call: at(batch, '/batches', '/retry-failed', {}), own: 202, others: 404 },

  createWebhook: {
    call: () => ({ path: '/user/webhooks', body: { url: hook, events: ['job_created'] } }),
    own: 201,
  },
  listWebhooks: { own: 200 },
  deleteWebhook: { call: at(webhook, '/user/webhooks'), own: 200, others: 404, admin: 404 },
  listWebhookDeliveries: {
    call: at(webhook, '/user/webhooks', '/deliveries'),
    own: 200,
    others: 404,
    admin: 404,
  },
  testWebhook: { call: at(webhook, '/user/webhooks', '/test', {}), own: 202, others: 404, admin: 404 },
  replayWebhookDelivery: {
    call: at(webhook, '/user/webhooks', `/deliveries/${NOWHERE}/replay`, {}),
    own: 404,
  },

  listUsers: { own: 200 },
  changeUser: {
    call: async () => ({
      path: `/admin/users/${(await people.join('subject')).id}`,
      body: { role: 'viewer' },
    }),
    own: 200,
  },
  listAllJobs: { own: 200 },
  deleteJob: { call: at(job, '/admin/jobs'), own: 200 },
  getStats: { own: 200 },
  listAudit: { own: 200 },
  listDeadLetters: { own: 200 },
  getDeadLetter: { call: () => ({ path: '/admin/dead-letters/1' }), own: 404 },
  redriveDeadLetter: { call: () => ({ path: '/admin/dead-letters/1/redrive', body: {} }), own: 404 },
  dropDeadLetter: { call: () => ({ path: '/admin/dead-letters/1' }), own: 404 },

  logOut: { own: 204 },
};

type LeastRole = 'public' | (typeof ROLES)[number];
type Operation = { readonly operationId: string; readonly 'x-least-role': LeastRole };

const expected = (caller: Caller, least: LeastRole, { own, others = own, admin = own }: Rule): number => {
  if (least === 'public') return own;
  if (['nobody', 'garbage', 'expired', 'wrong key'].includes(caller)) return 401;
  const role = caller === 'viewer' || caller === 'admin' ? caller : 'user';
  if (ROLES.indexOf(role) < ROLES.indexOf(least)) return 403;
  return caller === 'owner' ? own : caller === 'admin' ? admin : others;
};

const CODE_OF: Readonly<Partial<Record<Caller, string>>> = {
  nobody: 'not_authenticated',
  garbage: 'invalid_token',
  expired: 'token_expired',
  'wrong key': 'invalid_token',
};

/** What a call is answered; of a stream only that it began. */
const ask = async (method: string, { path, body }: Call, token: string | null) => {
  const stop = new AbortController();
  const isForm = body instanceof FormData;
  const response = await fetch(people.url + path, {
    method: method.toUpperCase(),
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]),
    headers: {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
  });
  const isProblem = response.status >= 400;
  const code = isProblem ? ((await response.json()) as { code: string }).code : null;
  stop.abort();
  return { status: response.status, code };
};

describe('every route', () => {
  it('answers each caller as its rule says', async () => {
    const { body } = await people.visitor.send('/openapi.json');
    const { paths } = body as { paths: Record<string, Record<string, Operation>> };
    const operations = Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method, ...operation })),
    );
    // Logging out comes last: it ends the sessions that all others use.
    operations.sort((a, b) => Number(a.operationId === 'logOut') - Number(b.operationId === 'logOut'));
    expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(RULES).sort());

    const wrong: string[] = [];
    for (const { path, method, operationId, 'x-least-role': least } of operations) {
      const rule = RULES[operationId] ?? { own: 0 };
      const fresh = async (): Promise<Call> => (await rule.call?.()) ?? { path };
      const check = async (caller: Caller, call: Call) => {
        const { status, code } = await ask(method, call, callers[caller]);
        const wanted = expected(caller, least, rule);
        const wantedCode = wanted === 401 ? CODE_OF[caller] : wanted === 403 ? 'forbidden' : code;
        if (status !== wanted || code !== wantedCode)
          wrong.push(`${operationId} as ${caller}: ${status} ${code}, not ${wanted} ${wantedCode}`);
      };
      // What is refused changes nothing, so that those who may not can all ask for the same thing.
      const shared = await fresh();
      const outsiders = CALLERS.filter((caller) => caller !== 'owner' && caller !== 'admin');
      await Promise.all(
        outsiders.map(async (caller) => check(caller, least === 'public' ? await fresh() : shared)),
      );
      await check('owner', await fresh());
      await check('admin', await fresh());
    }
    expect(wrong).toEqual([]);
  }, 240_000);
});

describe('someone else’s thing', () => {
  it('is answered to the letter as a thing that is not there', async () => {
    const [ana, ben] = [await people.join('ana'), await people.join('ben')];
    const { md: theirs, id } = await people.upload(ana);
    const { body } = await ana.http.post('/jobs', { md: theirs });
    const { jobId } = body as { jobId: string };
    for (const [there, missing] of [
      [`/jobs/${jobId}`, `/jobs/${NOWHERE}`],
      [`/jobs/${jobId}/timeline`, `/jobs/${NOWHERE}/timeline`],
      [`/user/files/${id}`, `/user/files/${NOWHERE}`],
    ] as const) {
      const [one, two] = [await ben.http.send(there), await ben.http.send(missing)];
      expect([one.status, one.body]).toEqual([404, two.body]);
    }
  });

  it('is not heard of in a stream, by no id and by none of its events', async () => {
    const [ana, ben, admin] = [
      await people.join('ana'),
      await people.join('ben'),
      await people.joinAsAdmin(),
    ];
    const { md: theirs } = await people.upload(ana);
    const { md: mine } = await people.upload(ben);
    const stream = ({ token }: Person, ids = '*') =>
      readEvents(`${people.url}/jobs/events?jobId=${ids}&access_token=${token}`);
    const [bens, all] = [await stream(ben), await stream(admin)];
    const first = ((await ana.http.post('/jobs', { md: theirs })).body as { jobId: string }).jobId;
    const byId = await stream(ben, first);
    await ana.http.post(`/jobs/${first}/actions`, { type: 'cancel' });
    const last = ((await ben.http.post('/jobs', { md: mine })).body as { jobId: string }).jobId;
    const idOf = ({ data }: { data: unknown }) => (data as { jobId: string }).jobId;
    await all.until((frames) => frames.some((frame) => idOf(frame) === last));
    await bens.until((frames) => frames.some((frame) => idOf(frame) === last));
    expect(bens.frames.map(idOf)).toEqual([last]);
    expect(all.frames.map(idOf)).toContain(first);
    expect(byId.frames).toEqual([]);
    for (const each of [bens, all, byId]) each.vanish();
  });
});

describe('an administrator', () => {
  it('finds users, changes them, and ends their sessions at once', async () => {
    const [admin, user] = [await people.joinAsAdmin(), await people.join('subject')];
    const { body } = await admin.http.send(`/admin/users?q=${encodeURIComponent(user.email.toUpperCase())}`);
    expect(body).toMatchObject({ total: 1, users: [{ id: user.id, role: 'user', isActive: true }] });
    expect(JSON.stringify(body)).not.toMatch(/argon2|passwordHash/);
    const patch = (id: string, wish: object) =>
      admin.http.send(`/admin/users/${id}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(wish),
      });
    expect((await patch(user.id, { role: 'viewer' })).body).toMatchObject({ user: { role: 'viewer' } });
    expect((await user.http.post('/jobs', { md: 'x' })).status).toBe(403);
    expect((await patch(user.id, { isActive: false })).body).toMatchObject({ user: { isActive: false } });
    expect(await user.http.send('/auth/me')).toMatchObject({ status: 401, body: { code: 'user_inactive' } });
    expect((await patch(user.id, { isActive: true })).status).toBe(200);
    expect((await user.http.send('/auth/me')).status).toBe(401);
    expect(await patch(admin.id, { role: 'user' })).toMatchObject({
      status: 422,
      body: { code: 'invalid_state' },
    });
    expect(await patch(user.id, { role: 'root' })).toMatchObject({
      status: 400,
      body: { code: 'invalid_role' },
    });
    expect((await patch('nobody', { role: 'user' })).status).toBe(404);
    const { records } = (await admin.http.send(`/admin/audit?userId=${user.id}&kind=user_changed`)).body as {
      records: object[];
    };
    expect(records.length).toBeGreaterThanOrEqual(3);
    expect(records[0]).toMatchObject({ actorId: admin.id, details: { isActive: true } });
  });

  it('sees whose jobs there are, and how the system does', async () => {
    const [admin, ana] = [await people.joinAsAdmin(), await people.join('ana')];
    const { md: theirs } = await people.upload(ana);
    await ana.http.post('/jobs', { md: theirs });
    expect((await admin.http.send(`/admin/jobs?ownerId=${ana.id}`)).body).toMatchObject({
      total: 1,
      jobs: [{ ownerId: ana.id, md: theirs, state: 'queued' }],
    });
    expect((await admin.http.send('/admin/stats')).body).toMatchObject({
      totalUsers: expect.any(Number),
      systemStatus: 'operational',
      jobsByState: { queued: expect.any(Number) },
      queue: { depth: expect.any(Number), oldestAgeMs: expect.any(Number) },
    });
  });

  it('stays one when another gateway asks', async () => {
    const admin = await people.joinAsAdmin();
    const { url } = await people.startGateway();
    expect((await client(url, admin.token).send('/admin/users?limit=1')).status).toBe(200);
  });
});
