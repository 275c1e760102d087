import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '@esl/kit/testing/world';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readEvents } from './event-reader.ts';
import { openPeople, type People } from './people.ts';

// The life of the existing frontend, call by call: what it sends, in its order, and what it reads of each answer. It
// stands behind a proxy that takes `/api` off, and reaches a few paths as they are.

let people: People;
let site: string;
beforeAll(async () => {
  people = await openPeople({ ENABLE_RATE_LIMITING: 'true' });
  const gateway = new URL(people.url);
  const proxy = createServer((incoming, outgoing) => {
    const path = (incoming.url ?? '/').replace(/^\/api(?=\/)/, '');
    const { method, headers } = incoming;
    const onward = forward({ host: '127.0.0.1', port: gateway.port, path, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  people.system.world.defer(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  site = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
afterAll(() => people.system.world[Symbol.asyncDispose]());

type Body = Record<string, unknown>;

it('the existing frontend lives its whole life', async () => {
  let token: string | null = null;
  const call = async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: Body }> => {
    const isForm = body instanceof FormData;
    const response = await fetch(`${site}${path}`, {
      method,
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Body };
  };

  // At the first start nobody is logged in: 401 means the login page, which shows `message`.
  expect(await call('GET', '/api/auth/me')).toMatchObject({
    status: 401,
    body: { message: expect.any(String) },
  });
  const credentials = { email: 'Teacher@Example.com', password: 'Teach-Me-2026' };
  expect(await call('POST', '/api/auth/register', { ...credentials, role: 'user' })).toMatchObject({
    status: 201,
    body: { user: { email: 'teacher@example.com' } },
  });
  const weak = await call('POST', '/api/auth/register', {
    email: 'b@example.com',
    password: 'short',
    role: 'user',
  });
  expect(weak).toMatchObject({
    status: 400,
    body: { error: 'validation_failed', message: expect.any(String) },
  });
  const loggedIn = await call('POST', '/auth/login', credentials);
  expect(loggedIn).toMatchObject({
    status: 200,
    body: { user: { id: expect.any(String), role: 'user' }, accessToken: expect.any(String) },
  });
  token = String(loggedIn.body.accessToken);
  expect(await call('GET', '/api/auth/me')).toMatchObject({
    status: 200,
    body: { user: { email: 'teacher@example.com', isActive: true } },
  });

  // The form: options, then the lesson, then the job.
  const options = await call('GET', '/api/config/job-options');
  expect(options.status).toBe(200);
  for (const list of ['presets', 'voiceAccents', 'voices', 'notionDatabases', 'uploadOptions', 'modes'])
    expect(Array.isArray(options.body[list])).toBe(true);
  expect((options.body.supportedActions as { type: string }[]).map(({ type }) => type)).toEqual([
    'rerun_audio',
    'cancel',
    'edit_metadata',
  ]);
  const stream = await readEvents(`${site}/api/jobs/events?jobId=*&access_token=${token}`);
  expect([stream.status, stream.headers['content-type']]).toEqual([200, 'text/event-stream']);
  const form = new FormData();
  form.set('file', new Blob(['# Lesson\n'], { type: 'text/markdown' }), 'lesson.md');
  const uploaded = await call('POST', '/api/uploads', form);
  expect(uploaded.status).toBe(201);
  const { md } = uploaded.body;
  const [preset = 'b1-default'] = options.body.presets as string[];
  const submitted = await call('POST', '/jobs', {
    md,
    preset,
    withTts: true,
    forceTts: false,
    notionDatabase: 'local',
    upload: 's3',
    mode: 'auto',
  });
  expect(submitted.status).toBe(202);
  const { jobId } = submitted.body as { jobId: string };

  // What it applies of events, and what it polls while its stream is down, say the same.
  await stream.until((frames) => frames.length >= 1);
  const cancelled = await call('POST', `/api/jobs/${jobId}/actions`, {
    type: 'cancel',
    payload: { reason: 'typo' },
  });
  expect(cancelled).toMatchObject({ status: 200, body: { success: true, jobId, actionType: 'cancel' } });
  const frames = await stream.until((seen) => seen.some(({ event }) => event === 'job_state_changed'));
  const { data } = frames.find(({ event }) => event === 'job_state_changed') ?? { data: {} };
  expect(data).toMatchObject({
    type: 'job_state_changed',
    jobId,
    state: 'cancelled',
    payload: { manifestPath: null, finishedAt: expect.any(String), mode: 'auto', md, notionUrl: null },
  });
  for (const { data: each } of frames)
    expect(each).toMatchObject({ type: expect.any(String), jobId, state: expect.any(String), payload: {} });
  const polled = await call('GET', `/api/jobs/${jobId}`);
  expect(polled).toMatchObject({ status: 200, body: { jobId, state: 'cancelled', md, upload: 's3' } });
  expect(await call('POST', `/api/jobs/${jobId}/actions`, { type: 'cancel' })).toMatchObject({
    status: 422,
    body: { error: 'invalid_state', message: expect.any(String) },
  });

  // Settings and files.
  expect(await call('GET', '/user/settings')).toMatchObject({
    body: { settings: { hasElevenLabsKey: false, ttsProvider: 'elevenlabs' } },
  });
  expect(
    await call('PUT', '/api/user/settings', {
      elevenLabsKey: 'sk_0123456789',
      defaultPreset: preset,
      ttsProvider: 'openai',
    }),
  ).toMatchObject({ status: 200, body: { settings: { hasElevenLabsKey: true, ttsProvider: 'openai' } } });
  expect(await call('GET', '/api/user/files')).toMatchObject({
    body: { total: 1, files: [{ filename: 'lesson.md', md, mimeType: 'text/markdown' }] },
  });

  // Logging out closes the stream; its EventSource comes back, is told 401, and gives up.
  expect((await call('POST', '/api/auth/logout')).status).toBe(204);
  await stream.ended;
  const again = await eventually(async () => {
    const retried = await readEvents(`${site}/api/jobs/events?jobId=*&access_token=${token}`);
    return retried.status === 401 ? retried : null;
  });
  expect(again.text()).not.toContain('connected');
  expect((await call('GET', '/api/auth/me')).status).toBe(401);
});
