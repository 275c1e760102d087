import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { createLog } from '@esl/kit/log';
import { settingsAnswerSchema } from '@esl-pipeline/contracts';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { client, expectProblem, PASSWORD } from './gateway-world.ts';
import { openPeople, type People } from './people.ts';

let people: People;
let url: string;
beforeAll(async () => {
  people = await openPeople();
  ({ url } = people);
});
afterAll(() => people.system.world[Symbol.asyncDispose]());

const preflight = (at: string, origin: string) =>
  fetch(`${at}/jobs`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  });

describe('pages of other origins', () => {
  it('are told nothing unless that is switched on', async () => {
    const asked = await preflight(url, 'https://app.example');
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([405, null]);
    const { headers } = await people.visitor.send('/healthz', { headers: { origin: 'https://app.example' } });
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  it('may call when they are named, and no others', async () => {
    const open = await people.startGateway({
      ENABLE_CORS: 'true',
      CORS_ORIGIN: 'https://app.example,https://two.example',
      CORS_CREDENTIALS: 'true',
    });
    const asked = await preflight(open.url, 'https://two.example');
    expect(asked.status).toBe(204);
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      'access-control-allow-origin': 'https://two.example',
      'access-control-allow-credentials': 'true',
      vary: expect.stringContaining('Origin'),
    });
    const other = await preflight(open.url, 'https://evil.example');
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
    const refused = await fetch(`${open.url}/auth/me`, { headers: { origin: 'https://app.example' } });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([
      401,
      'https://app.example',
    ]);
  });
});

describe('headers', () => {
  it('keep browsers on TLS for as long as is set', async () => {
    const { headers } = await people.visitor.send('/healthz');
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000; includeSubDomains');
    const brief = await people.startGateway({ HSTS_MAX_AGE: '60' });
    const answer = await client(brief.url, null).send('/healthz');
    expect(answer.headers.get('strict-transport-security')).toMatch(/^max-age=60;/);
  });
});

describe('addresses', () => {
  it('are the socket’s, unless a proxy is trusted', async () => {
    const env = { ENABLE_RATE_LIMITING: 'true', AUTH_FAILURE_ADDRESS_LIMIT: '2' };
    const plain = await people.startGateway(env);
    const trusting = await people.startGateway({ ...env, TRUST_PROXY: '1' });
    const guess = (at: string, from: string, n: number) =>
      client(at, null).post(
        '/auth/login',
        { email: `nobody-${from}-${n}@example.com`, password: PASSWORD },
        { 'x-forwarded-for': from },
      );
    const statuses = async (at: string, froms: string[]) => {
      const seen = [];
      for (const [n, from] of froms.entries()) seen.push((await guess(at, from, n)).status);
      return seen;
    };
    expect(await statuses(plain.url, ['203.0.113.1', '203.0.113.2', '203.0.113.3'])).toEqual([401, 401, 429]);
    expect(
      await statuses(trusting.url, ['203.0.113.1', '203.0.113.1', '203.0.113.1', '203.0.113.2']),
    ).toEqual([401, 401, 429, 401]);
    const network = ['2001:db8:1:2::1', '2001:db8:1:2::2', '2001:db8:1:2:ffff::3', '2001:db8:1:3::1'];
    expect(await statuses(trusting.url, network)).toEqual([401, 401, 429, 401]);
  });
});

describe('submissions', () => {
  it('come no more often than their limit allows, each user for itself', async () => {
    const limited = await people.startGateway({
      ENABLE_RATE_LIMITING: 'true',
      JOB_SUBMISSION_RATE_LIMIT: '3',
    });
    const [ana, ben] = [await people.join('ana'), await people.join('ben')];
    const submitAs = async (person: typeof ana) => {
      const { md } = await people.upload(person);
      const http = client(limited.url, person.token);
      return await Promise.all(Array.from({ length: 5 }, () => http.post('/jobs', { md })));
    };
    for (const person of [ana, ben]) {
      const answers = await submitAs(person);
      expect(answers.map(({ status }) => status).sort()).toEqual([202, 202, 202, 429, 429]);
      const late = answers.find(({ status }) => status === 429);
      if (late) expectProblem(late, 429, 'rate_limited');
      expect(late?.headers.get('retry-after')).toMatch(/^\d+$/);
      const again = client(limited.url, person.token);
      for (const path of [
        `/jobs/${uuidv7()}/retry`,
        `/jobs/${uuidv7()}/rerun/audio`,
        `/batches/${uuidv7()}/retry-failed`,
      ])
        expectProblem(await again.post(path, {}), 429, 'rate_limited');
    }
  });

  it('are also actions that make a job, and no others', async () => {
    const limited = await people.startGateway({
      ENABLE_RATE_LIMITING: 'true',
      JOB_SUBMISSION_RATE_LIMIT: '1',
    });
    const { token } = await people.join('ana');
    const act = (type: string) => client(limited.url, token).post(`/jobs/${uuidv7()}/actions`, { type });
    expectProblem(await act('cancel'), 404, 'not_found');
    expectProblem(await act('rerun_audio'), 404, 'not_found');
    expectProblem(await act('rerun_audio'), 429, 'rate_limited');
    expectProblem(await act('cancel'), 404, 'not_found');
  });
});

describe('a client that only ever begins', () => {
  it('is hung up on, and told why', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(Number(new URL(url).port), '127.0.0.1', () =>
        socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: '),
      );
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      socket.on('close', () => resolve(text)).on('error', reject);
    });
    expect(answer).toContain('"code":"invalid_request"');
  }, 40_000);
});

describe('the log', () => {
  it('holds no token, password or key, wherever they were sent', async () => {
    const lines: string[] = [];
    const sink = new Writable({
      write: (chunk, _encoding, done) => {
        lines.push(String(chunk));
        done();
      },
    });
    const log = createLog('gateway', 'trace', sink);
    log.info(
      { accessToken: 'secret-1', refreshToken: 'secret-2', request: { access_token: 'secret-3' } },
      'x',
    );
    log.info(
      { body: { password: 'secret-4', elevenLabsKey: 'secret-5' }, headers: { cookie: 'secret-6' } },
      'x',
    );
    expect(lines.join('')).not.toContain('secret-');
    expect(lines).toHaveLength(2);
  });
});

describe('one’s own settings', () => {
  const put = ({ http }: { http: ReturnType<typeof client> }, body: unknown) =>
    http.send('/user/settings', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  it('have defaults, change in part, and never show a key again', async () => {
    const ana = await people.join('ana');
    expect((await ana.http.send('/user/settings')).body).toEqual({
      settings: {
        hasElevenLabsKey: false,
        hasNotionToken: false,
        ttsProvider: 'elevenlabs',
        defaultPreset: 'b1-default',
        defaultVoiceAccent: 'american',
        defaultTtsMode: 'auto',
        enableNotifications: true,
        createdAt: null,
        updatedAt: null,
      },
    });
    const key = 'sk_0123456789abcdef';
    const set = await put(ana, { elevenLabsKey: key, ttsProvider: 'google', enableNotifications: false });
    expect(settingsAnswerSchema.strict().parse(set.body).settings).toMatchObject({
      hasElevenLabsKey: true,
      hasNotionToken: false,
      ttsProvider: 'google',
      defaultPreset: 'b1-default',
      enableNotifications: false,
    });
    const cleared = await put(ana, { elevenLabsKey: '', defaultPreset: null });
    expect(cleared.body).toMatchObject({
      settings: { hasElevenLabsKey: false, defaultPreset: null, ttsProvider: 'google' },
    });
    const { db } = people.system.world.mongo;
    await put(ana, { notionToken: key });
    const stored = JSON.stringify(await db.collection('owner_settings').find().toArray());
    expect(stored).not.toContain(key);
    expect(stored).toMatch(/v1\.[A-Za-z0-9_-]{38}/);
  });

  it('are each user’s own', async () => {
    const [ana, ben] = [await people.join('ana'), await people.join('ben')];
    await put(ana, { defaultVoiceAccent: 'british' });
    expect((await ben.http.send('/user/settings')).body).toMatchObject({
      settings: { defaultVoiceAccent: 'american' },
    });
  });

  it.each([
    ['missing_body', ''],
    ['missing_body', []],
    ['invalid_tts_provider', { ttsProvider: 'siri' }],
    ['invalid_tts_provider', { ttsProvider: { $ne: null } }],
    ['invalid_tts_mode', { defaultTtsMode: 'loud' }],
    ['invalid_elevenlabs_key', { elevenLabsKey: 'short' }],
    ['invalid_elevenlabs_key', { elevenLabsKey: 1234567890 }],
    ['invalid_notion_token', { notionToken: 'with a line\nbreak' }],
    ['invalid_preset', { defaultPreset: 7 }],
    ['invalid_body', { enableNotifications: 'yes' }],
  ])('are refused with %s for %j', async (code, body) => {
    expectProblem(await put(await people.join('ana'), body), 400, code);
  });
});
