import { readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually } from '@esl/kit/testing/world';
import { jobActionResponseSchema, jobListSchema, jobOptionsSchema, jobSchema } from '@esl-pipeline/contracts';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Answered,
  client,
  expectProblem as expectEnvelope,
  type GatewayWorld,
  NEW_JOB_ID,
  openGatewayWorld,
} from './gateway-world.ts';

let system: GatewayWorld;
let url: string;
let http: ReturnType<typeof client>;
beforeAll(async () => {
  system = await openGatewayWorld();
  ({ url } = await system.startGateway());
  http = client(url);
  await system.writeLesson('lesson.md');
});
afterAll(() => system.world[Symbol.asyncDispose]());

/** Sends bytes as they are, and answers what came back until the connection closed. */
const raw = (bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer)).on('error', reject);
  });

const expectProblem = (answer: Answered, wanted: number, code: string) => {
  expectEnvelope(answer, wanted, code);
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(answer.headers.get('x-request-id')).toBeTruthy();
};

const scope = { reach: { case: 'everyone', value: true } } as const;

describe('POST /jobs', () => {
  it('accepts a lesson and says null for what was not sent', async () => {
    const answer = await http.post('/jobs', {
      md: 'lesson.md',
      somethingElse: 1,
      __proto__: { preset: 'x' },
    });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const { jobId } = answer.body as { jobId: string };
    const got = await http.send(`/jobs/${jobId}`);
    expect(jobSchema.strict().parse(got.body)).toMatchObject({
      jobId,
      md: 'lesson.md',
      state: 'queued',
      withTts: false,
      preset: null,
      upload: null,
      forceTts: null,
      attempt: 0,
      error: null,
      steps: [],
      links: { self: `${url}/jobs/${jobId}`, page: null, audio: null, manifest: null, transcript: null },
    });
    expect((await http.send(`/jobs/${jobId}/status`)).body).toEqual(got.body);
  });

  it('keeps every option', async () => {
    const options = {
      preset: 'calm-blue',
      withTts: true,
      upload: 's3',
      voiceId: 'Wren',
      voiceAccent: 'british_female',
      forceTts: true,
      notionDatabase: 'local',
      mode: 'dialogue',
    };
    const jobId = await http.submit('lesson.md', options);
    expect((await http.send(`/jobs/${jobId}`)).body).toMatchObject(options);
  });

  it('keeps the lesson as it was, whatever becomes of the file', async () => {
    const core = await system.startGateway({ BATCH_BACKEND_ENABLE_EXTENDED_API: 'false' });
    await system.writeLesson('units/3/passing.md', 'as it was');
    const jobId = await client(core.url).submit('units/3/passing.md');
    await rm(join(system.lessonsDir, 'units/3/passing.md'));
    const { job } = await system.jobs.getJob({ scope, jobId });
    const key = job?.spec?.lessonKey ?? '';
    expect(key).toMatch(/^lessons\/[0-9a-f]{2}\/[0-9a-f]{64}\.md$/);
    expect(await readFile(join(system.blobDir, key), 'utf8')).toBe('as it was');
  });

  it('takes many at once, each its own job', async () => {
    const ids = await Promise.all(Array.from({ length: 300 }, () => http.submit('lesson.md')));
    expect(new Set(ids).size).toBe(300);
    const last = await http.send(`/jobs/${ids[299]}`);
    expect(last.status).toBe(200);
  }, 90_000);

  it.each([
    ['md_required', {}],
    ['md_required', { md: ' \n' }],
    ['md_required', { md: 7 }],
    ['md_required', { md: 'x'.repeat(1_025) }],
    ['md_required', JSON.parse('{"__proto__": {"md": "lesson.md"}}')],
    ['md_required', JSON.parse('{"constructor": {"prototype": {"md": "lesson.md"}}}')],
    ['invalid_preset', { md: 'lesson.md', preset: null }],
    ['invalid_with_tts', { md: 'lesson.md', withTts: 'true' }],
    ['invalid_upload', { md: 'lesson.md', upload: 'ftp' }],
    ['invalid_voice_id', { md: 'lesson.md', voiceId: '' }],
    ['invalid_voice_accent', { md: 'lesson.md', voiceAccent: ['a'] }],
    ['invalid_force_tts', { md: 'lesson.md', forceTts: 1 }],
    ['invalid_notion_database', { md: 'lesson.md', notionDatabase: {} }],
    ['invalid_mode', { md: 'lesson.md', mode: 'Dialogue' }],
    ['invalid_priority', { md: 'lesson.md', priority: 'urgent' }],
    ['invalid_run_at', { md: 'lesson.md', runAt: 'tomorrow' }],
    ['invalid_run_at', { md: 'lesson.md', runAt: '2026-01-05T08:00:00' }],
    ['invalid_run_at', { md: 'lesson.md', runAt: '2999-01-05T08:00:00Z' }],
    ['invalid_run_at', { md: 'lesson.md', runAt: 1_767_600_000 }],
    ['md_not_found', { md: 'missing.md' }],
    ['md_not_found', { md: '../lessons/lesson.md' }],
    ['md_not_found', { md: '/etc/hostname' }],
    ['md_not_found', { md: '.' }],
    ['md_not_found', { md: 'lesson.md\0.md' }],
    ['invalid_body', []],
    ['invalid_body', null],
    ['invalid_body', '"text"'],
    ['invalid_body', '7'],
    ['invalid_body', '{"md": "lesson.md"'],
    ['invalid_body', '{"md": \'lesson.md\'}'],
  ])('answers 400 %s to %j', async (code, body) => {
    const answer = await http.post('/jobs', body);
    expectProblem(answer, 400, code);
    if (code.startsWith('invalid_') && code !== 'invalid_body')
      expect(answer.body).toMatchObject({ details: { issues: [{ path: expect.any(String) }] } });
  });

  it('stays calm before deep nesting', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expectProblem(await http.post('/jobs', deep), 400, 'invalid_body');
    expect((await http.post('/jobs', `{"md": "lesson.md", "x": ${deep}}`)).status).toBe(202);
    const nested = `{"type": "cancel", "payload": {"reason": ${deep}}}`;
    expectProblem(await http.post(`/jobs/${uuidv7()}/actions`, nested), 400, 'invalid_reason');
  });

  it('refuses other content types, no body, and more than 256 KiB', async () => {
    const text = { 'content-type': 'text/plain' };
    expectProblem(await http.post('/jobs', '{"md": "lesson.md"}', text), 415, 'unsupported_media_type');
    const latin = { 'content-type': 'application/json; charset=latin1' };
    expectProblem(await http.post('/jobs', '{}', latin), 415, 'unsupported_media_type');
    expectProblem(await http.send('/jobs', { method: 'POST' }), 400, 'invalid_body');
    const large = { md: 'lesson.md', x: 'x'.repeat(256 * 1024) };
    expectProblem(await http.post('/jobs', large), 413, 'payload_too_large');
  });

  it('is 503 while the jobs service does not answer', async () => {
    const lonely = await system.startGateway({ JOBS_ADDR: '127.0.0.1:1', RPC_DEADLINE_MS: '300' });
    const answer = await client(lonely.url).post('/jobs', { md: 'lesson.md' });
    expectProblem(answer, 503, 'unavailable');
    expect(answer.headers.get('retry-after')).toBe('1');
    const ready = await client(lonely.url).send('/readyz');
    expectProblem(ready, 503, 'not_ready');
    expect(ready.body).toMatchObject({ details: { failing: ['jobs'] } });
  });
});

describe('reading jobs', () => {
  it.each([uuidv7(), 'not-an-id', '%F0%9F%8D%B5', '__proto__'])('knows no job %s', async (id) => {
    expectProblem(await http.send(`/jobs/${id}`), 404, 'not_found');
    expectProblem(await http.send(`/jobs/${id}/status`), 404, 'not_found');
  });

  it('shows nobody another owner’s job', async () => {
    const id = uuidv7();
    await system.jobs.createJobs({
      jobs: [{ id, ownerId: 'someone-else', spec: { md: 'a.md', lessonKey: 'lessons/a.md' } }],
    });
    expectProblem(await http.send(`/jobs/${id}`), 404, 'not_found');
    const { jobs } = jobListSchema.parse((await http.send('/jobs?limit=100')).body);
    expect(jobs.map(({ jobId }) => jobId)).not.toContain(id);
  });

  it('lists page by page, newest first', async () => {
    const ids = [];
    for (let n = 0; n < 5; n += 1) ids.push(await http.submit('lesson.md', { preset: 'paged' }));
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor && `&cursor=${encodeURIComponent(cursor)}`;
      const page = jobListSchema.strict().parse((await http.send(`/jobs?limit=2&preset=paged${query}`)).body);
      expect(page.total).toBe(5);
      seen.push(...page.jobs.map(({ jobId }) => jobId));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(ids.toReversed());
    const { jobs, ...rest } = (await http.send('/user/jobs?preset=paged')).body as { jobs: unknown[] };
    expect([jobs.length, rest]).toEqual([5, { total: 5 }]);
  });

  it('filters', async () => {
    const jobId = await http.submit('lesson.md', { mode: 'monologue', preset: 'filtered' });
    await system.jobs.cancelJob({ scope, jobId });
    const count = async (query: string) =>
      jobListSchema.parse((await http.send(`/jobs?preset=filtered&${query}`)).body).total;
    expect(await count('state=cancelled,failed')).toBe(1);
    expect(await count('state=queued')).toBe(0);
    expect(await count('mode=monologue&hasError=false&createdFrom=2020-01-01T00:00:00Z')).toBe(1);
    expect(await count('createdTo=2020-01-01T00:00:00%2B02:00')).toBe(0);
  });

  it.each([
    'limit=0',
    'limit=101',
    'limit=2&limit=3',
    'sort=md',
    'state=',
    'state=done',
    'createdFrom=yesterday',
    'hasError=1',
    'parentJobId=x',
    'batchId=x',
    'priority=urgent',
    'q=',
    'q=%20',
    'cursor=forged',
    `cursor=${Buffer.from('["-createdAt",1,"x"]').toString('base64url')}`,
  ])('answers 400 to ?%s', async (query) => {
    expectProblem(await http.send(`/jobs?${query}`), 400, 'invalid_query');
  });
});

describe('actions', () => {
  it('are carried out for the caller, with what actions know of the payload', async () => {
    const jobId = uuidv7();
    const answer = await http.post(`/jobs/${jobId}/actions`, {
      type: 'cancel',
      payload: { reason: 'enough', other: { deep: true } },
    });
    expect(answer.status).toBe(200);
    expect(jobActionResponseSchema.strict().parse(answer.body)).toMatchObject({
      jobId,
      actionType: 'cancel',
    });
    expect(system.executed.at(-1)).toEqual({
      jobId,
      type: 'cancel',
      payload: { reason: 'enough' },
      owner: 'anonymous',
      actorId: 'anonymous',
    });
  });

  it('make a new job of a rerun, with or without a body', async () => {
    for (const init of [{}, { headers: { 'content-type': 'application/json' }, body: '{"forceTts":true}' }]) {
      const { status, body } = await http.send(`/jobs/${uuidv7()}/rerun/audio`, { method: 'POST', ...init });
      expect([status, body]).toEqual([202, { jobId: NEW_JOB_ID }]);
    }
  });

  it.each([
    [400, 'invalid_body', []],
    [400, 'invalid_action_type', {}],
    [400, 'invalid_action_type', { type: 7 }],
    [400, 'invalid_action_type', { type: 'explode' }],
    [400, 'invalid_payload', { type: 'cancel', payload: 'x' }],
    [400, 'invalid_payload', { type: 'cancel', payload: null }],
    [400, 'invalid_reason', '{"type": "cancel", "payload": {"reason": 1e999}}'],
    [400, 'invalid_reason', { type: 'cancel', payload: { reason: true } }],
    [422, 'invalid_state', { type: 'cancel', payload: { reason: 'too late' } }],
  ])('are refused: %i %s', async (status, code, body) => {
    expectProblem(await http.post(`/jobs/${uuidv7()}/actions`, body), status, code);
  });

  it('know no unknown job', async () => {
    expectProblem(await http.post('/jobs/unknown/actions', { type: 'cancel' }), 404, 'not_found');
  });
});

describe('GET /config/job-options', () => {
  it('says what may be offered, and when nothing changed', async () => {
    const answer = await http.send('/config/job-options');
    expect(jobOptionsSchema.strict().parse(answer.body)).toMatchObject({
      presets: ['calm-blue'],
      voices: [{ id: 'v-001', category: null, gender: 'female' }],
      supportedActions: [{ type: 'rerun_audio' }, { type: 'cancel' }, { type: 'edit_metadata' }],
      stale: false,
    });
    expect(answer.headers.get('cache-control')).toBe('private, max-age=60');
    const etag = answer.headers.get('etag') ?? '';
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const again = await http.send('/config/job-options', { headers: { 'if-none-match': known } });
      expect([again.status, again.body, again.headers.get('etag')]).toEqual([304, null, etag]);
    }
  });
});

describe('every answer', () => {
  it('has a request id: the caller’s when it is well formed', async () => {
    const idFor = async (id: string) =>
      (await http.send('/healthz', { headers: { 'x-request-id': id } })).headers.get('x-request-id');
    expect(await idFor('abc.DEF_1-2')).toBe('abc.DEF_1-2');
    for (const id of ['has space', 'x'.repeat(129), '<script>'])
      expect(await idFor(id)).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('has the headers of a careful server', async () => {
    const { headers } = await http.send('/healthz');
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'referrer-policy': 'no-referrer',
    });
    expect(headers.get('x-powered-by')).toBeNull();
  });

  it('is an envelope when the path or the method is wrong', async () => {
    expectProblem(await http.send('/nowhere'), 404, 'not_found');
    expectProblem(await http.send('/JOBS'), 404, 'not_found');
    expectProblem(await http.send('/jobs/%E0%A4%A'), 400, 'invalid_path');
    for (const [method, path, allow] of [
      ['DELETE', '/jobs', 'POST, GET, HEAD'],
      ['POST', '/jobs/events', 'GET, HEAD'],
      ['OPTIONS', `/jobs/${uuidv7()}`, 'GET, HEAD, PATCH'],
      ['PUT', '/jobs/x/actions', 'POST'],
      ['GET', '/jobs/x/actions', 'POST'],
    ] as const) {
      const answer = await http.send(path, { method });
      expectProblem(answer, 405, 'method_not_allowed');
      expect(answer.headers.get('allow')).toBe(allow);
    }
  });

  it('is an envelope even to what is not HTTP', async () => {
    for (const bytes of [
      'hello there\r\n\r\n',
      `GET /jobs HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(40_000)}\r\n\r\n`,
      'POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    ]) {
      const answer = await raw(bytes);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain('"code":"invalid_request"');
      expect(answer).toMatch(/x-request-id: /i);
    }
  });

  it('tells nothing of a fault but the request id', async () => {
    const noFolder = join(system.lessonsDir, 'lesson.md');
    const broken = await system.startGateway({
      BLOB_DIR: noFolder,
      BATCH_BACKEND_ENABLE_EXTENDED_API: 'false',
    });
    const answer = await client(broken.url).post('/jobs', { md: 'lesson.md' });
    expectProblem(answer, 500, 'internal_error');
    expect(answer.body).toMatchObject({ details: { requestId: answer.headers.get('x-request-id') } });
    expect(JSON.stringify(answer.body)).not.toMatch(/lesson|ENOTDIR|at /);
  });
});

describe('health', () => {
  it('answers while all is well', async () => {
    expect((await http.send('/healthz')).body).toEqual({ status: 'ok' });
    expect((await http.send('/readyz')).body).toEqual({ status: 'ok' });
  });

  it('names NATS when it is away, and recovers', async () => {
    await system.world.restartNats({
      meanwhile: async () => {
        const answer = await http.send('/readyz');
        expectProblem(answer, 503, 'not_ready');
        expect(answer.body).toMatchObject({ details: { failing: ['nats'] } });
      },
    });
    await eventually(async () => ((await http.send('/readyz')).status === 200 ? true : null));
  });
});

describe('the description', () => {
  it('is served with a page that needs nothing from elsewhere', async () => {
    const document = await http.send('/openapi.json');
    expect(document.body).toMatchObject({ openapi: '3.1.1', servers: [{ url }] });
    const page = await fetch(`${url}/docs`);
    const html = await page.text();
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self';");
    const linked = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, target]) => target ?? '');
    expect(linked).toHaveLength(3);
    for (const target of linked) {
      const asset = await fetch(new URL(target, `${url}/docs`));
      expect([asset.status, asset.headers.get('content-type')]).toEqual([
        200,
        expect.stringMatching(/^text\/(css|javascript)/),
      ]);
      await asset.arrayBuffer();
    }
    expectProblem(await http.send('/docs/package.json'), 404, 'not_found');
    expectProblem(await http.send('/docs/..%2f..%2fpackage.json'), 404, 'not_found');
  });
});

describe('with the extended API off', () => {
  it('only the core answers', async () => {
    const core = await system.startGateway({ BATCH_BACKEND_ENABLE_EXTENDED_API: 'false' });
    const { send, post, submit } = client(core.url);
    const jobId = await submit('lesson.md');
    for (const path of [
      '/jobs',
      `/jobs/${jobId}`,
      `/jobs/${jobId}/status`,
      '/healthz',
      '/readyz',
      '/openapi.json',
    ])
      expect([path, (await send(path)).status]).toEqual([path, 200]);
    expectProblem(await post('/user/jobs', { md: 'lesson.md' }), 404, 'not_found');
    expectProblem(await send('/user/jobs'), 404, 'not_found');
    expectProblem(await post(`/jobs/${jobId}/actions`, { type: 'cancel' }), 404, 'not_found');
    expectProblem(await post(`/jobs/${jobId}/rerun/audio`, {}), 404, 'not_found');
    expectProblem(await send('/config/job-options'), 404, 'not_found');
    expectProblem(await post('/jobs/batch', { items: [{ md: 'lesson.md' }] }), 404, 'not_found');
    expectProblem(await send('/batches'), 404, 'not_found');
    expectProblem(await send('/user/webhooks'), 404, 'not_found');
    expectProblem(await send(`/jobs/${jobId}/timeline`), 404, 'not_found');
    expectProblem(await send(`/jobs/${jobId}`, { method: 'PATCH' }), 405, 'method_not_allowed');
    const { paths } = (await send('/openapi.json')).body as { paths: object };
    expect(Object.keys(paths)).not.toContain('/config/job-options');
  });
});
