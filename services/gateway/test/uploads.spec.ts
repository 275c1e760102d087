import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually } from '@esl/kit/testing/world';
import { uploadSchema, userFilesSchema } from '@esl-pipeline/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Answered,
  authorization,
  client,
  expectProblem,
  type GatewayWorld,
  openGatewayWorld,
  PASSWORD,
} from './gateway-world.ts';

const MIB = 1024 * 1024;
const LESSON = '# Lesson\n\nSome words.\n';
const generous = { UPLOAD_RATE_LIMIT: '100000', UPLOAD_BURST_LIMIT: '100000' };

let system: GatewayWorld;
let url: string;
let http: ReturnType<typeof client>;
beforeAll(async () => {
  system = await openGatewayWorld();
  ({ url } = await system.startGateway(generous));
  http = client(url);
});
afterAll(() => system.world[Symbol.asyncDispose]());

/** Every file that uploads have left in the blob store. */
const files = async () =>
  (await readdir(join(system.blobDir, 'lessons'), { recursive: true, withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

const upload = (
  text: string | Uint8Array,
  name = 'lesson.md',
  type = 'text/markdown',
  as = http,
  field = 'file',
) => {
  const form = new FormData();
  form.set(field, new Blob([Buffer.from(text)], { type }), name);
  return as.send('/uploads', { method: 'POST', body: form });
};
const uploaded = async (...how: Parameters<typeof upload>) => {
  const answer = await upload(...how);
  expect(answer.status).toBe(201);
  return uploadSchema.strict().parse(answer.body);
};
const aUser = async (at = url) => {
  const user = { email: `${Math.random().toString(36).slice(2)}@example.com`, password: PASSWORD };
  await client(at, null).post('/auth/register', user);
  const { body } = await client(at, null).post('/auth/login', user);
  return client(at, (body as { accessToken: string }).accessToken);
};

const BOUNDARY = 'a-boundary';
const FORM = `multipart/form-data; boundary=${BOUNDARY}`;
const part = (name: string) =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: text/markdown\r\n\r\n`;
const END = `\r\n--${BOUNDARY}--\r\n`;

/** Sends a body as it is, piece by piece, and answers what the server says. */
const sendRaw = (
  pieces: Iterable<string | Buffer> | AsyncIterable<string | Buffer>,
  headers: Record<string, string> = {},
): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const sent = request(
      `${url}/uploads`,
      { method: 'POST', agent: false, headers: { 'content-type': FORM, ...authorization(url), ...headers } },
      async (response) => {
        const text = (await response.toArray()).join('');
        resolve({ status: response.statusCode ?? 0, headers: new Headers(), body: JSON.parse(text) });
      },
    );
    sent.on('error', reject);
    const write = async () => {
      for await (const piece of pieces)
        if (!sent.write(piece)) await new Promise<void>((drained) => sent.once('drain', () => drained()));
      sent.end();
    };
    write().catch(reject);
  });

describe('an upload', () => {
  it('is kept, and is what a job names its lesson by', async () => {
    const kept = await uploaded(LESSON, 'My lesson.md');
    expect(kept).toMatchObject({
      originalFilename: 'My lesson.md',
      sanitizedFilename: 'My lesson.md',
      fileSize: LESSON.length,
      mimeType: 'text/markdown',
      storageProvider: 'filesystem',
      warnings: [],
    });
    const jobId = await http.submit(kept.md);
    expect((await http.send(`/jobs/${jobId}`)).body).toMatchObject({ md: kept.md });
    const { job } = await system.jobs.getJob({ scope: { reach: { case: 'everyone', value: true } }, jobId });
    expect(job?.spec?.lessonKey).toMatch(/^lessons\/anonymous\/[0-9a-f-]{36}\.md$/);
  });

  it('may be in a field of any name, among others; the first file counts', async () => {
    const form = new FormData();
    form.set('note', 'hello');
    form.set('other', new Blob([LESSON]), 'first.md');
    form.set('file', new Blob(['second']), 'second.md');
    const { body } = await http.send('/uploads', { method: 'POST', body: form });
    expect(body).toMatchObject({ originalFilename: 'first.md' });
  });

  it.each([
    ['x'.repeat(300), 'md', 201],
    ['../../../../etc/cron.d/x', 'md', 201],
    ['..\\..\\windows\\x', 'md', 201],
    ['a\u0000b', 'md', 201],
    ['<script>alert(1)</script>', 'md', 201],
    ['%2e%2e%2f', 'md', 201],
    ['$(reboot);`id`', 'md', 201],
    ['CON', 'md', 201],
    ['урок', 'markdown', 201],
    ['lesson.md', 'html', 400],
    ['lesson', 'exe', 400],
  ])('named %j.%s is answered %3$i, and its name reaches no path', async (stem, extension, status) => {
    const before = await files();
    const answer = await upload(LESSON, `${stem}.${extension}`);
    expect(answer.status).toBe(status);
    const fresh = (await files()).filter((name) => !before.includes(name));
    expect(fresh).toHaveLength(status === 201 ? 1 : 0);
    for (const name of fresh) expect(name).toMatch(/^[0-9a-f-]{36}\.md$/);
    if (status !== 201) return;
    const { sanitizedFilename, md } = uploadSchema.parse(answer.body);
    expect(sanitizedFilename.length).toBeLessThanOrEqual(100);
    expect(sanitizedFilename).not.toMatch(/[/\\<>\0"`$;]|\.\./);
    expect((await http.post('/jobs', { md })).status).toBe(202);
  });

  it.each([
    ['no UTF-8', Buffer.from([0xff, 0xfe, 0x00])],
    ['control characters', 'a\u0007b'],
    ['nothing', ''],
  ])('of %s is refused, and nothing is kept', async (_what, content) => {
    const before = await files();
    expectProblem(await upload(content), 400, 'file_validation_failed');
    expect(await files()).toEqual(before);
  });

  it('of active content is refused, of words about it is not', async () => {
    expectProblem(await upload('# L\n\n<script>alert(1)</script>'), 400, 'security_validation_failed');
    await uploaded('# L\n\nThe word javascript: and `<script>` are only words.');
  });

  it('of 10 MiB made to keep us busy holds nobody else up', async () => {
    const hostile = Buffer.from('<a = '.repeat(10 * MIB).slice(0, 10 * MIB - 20));
    const health = async () => expect((await http.send('/healthz')).status).toBe(200);
    const isRead = Promise.withResolvers<void>();
    let isAnswered = false;
    const sent = sendRaw(
      (async function* () {
        yield part('busy.md');
        yield hostile;
        // The rest of the file is on its way: the server reads on while it answers these.
        for (let n = 0; n < 50; n += 1) await health();
        yield `\n\n<script>${END}`;
        isRead.resolve();
      })(),
    ).finally(() => {
      isAnswered = true;
    });
    await isRead.promise;
    let meanwhile = 0;
    for (; !isAnswered && meanwhile < 10; meanwhile += 1) await health();
    expect(meanwhile).toBe(10);
    expectProblem(await sent, 400, 'security_validation_failed');
  });

  it('needs a form with a file in it', async () => {
    const form = new FormData();
    form.set('file', 'only text');
    expectProblem(await http.send('/uploads', { method: 'POST', body: form }), 400, 'no_file');
    expectProblem(await http.send('/uploads', { method: 'POST' }), 400, 'no_file');
    expectProblem(await http.post('/uploads', { file: 'x' }), 415, 'unsupported_media_type');
    for (const type of ['multipart/form-data', 'multipart/form-data; boundary='])
      expectProblem(
        await http.send('/uploads', { method: 'POST', body: 'x', headers: { 'content-type': type } }),
        type.endsWith('=') ? 400 : 415,
        type.endsWith('=') ? 'invalid_body' : 'unsupported_media_type',
      );
    expectProblem(await sendRaw(['no form at all']), 400, 'invalid_body');
  });

  it('of exactly the limit is kept; one byte more is refused', async () => {
    const small = await system.startGateway({ ...generous, MAX_FILE_SIZE: '1000' });
    const as = client(small.url);
    await uploaded('x'.repeat(1_000), 'a.md', 'text/markdown', as);
    expectProblem(await upload('x'.repeat(1_001), 'a.md', 'text/markdown', as), 413, 'file_too_large');
  });

  it('of 60 MiB is refused with an answer, keeps nothing, and takes no memory', async () => {
    const before = await files();
    const piece = Buffer.alloc(MIB, 'x');
    const pieces = function* () {
      yield part('large.md');
      for (let n = 0; n < 60; n += 1) yield piece;
      yield END;
    };
    expectProblem(await sendRaw(pieces()), 413, 'file_too_large');
    global.gc?.();
    const settled = process.memoryUsage().rss;
    for (let round = 0; round < 3; round += 1)
      expectProblem(await sendRaw(pieces(), { 'transfer-encoding': 'chunked' }), 413, 'file_too_large');
    expect((process.memoryUsage().rss - settled) / MIB).toBeLessThan(100);
    expect(await files()).toEqual(before);
  });

  it('that ends too early is refused, and keeps nothing', async () => {
    const before = await files();
    expectProblem(await sendRaw([part('cut.md'), 'half a les']), 400, 'invalid_body');
    expectProblem(await sendRaw([`--${BOUNDARY}\r\nContent-Dispo`]), 400, 'invalid_body');
    expectProblem(await sendRaw([part('cut.md'), LESSON, `\r\n--${BOUNDARY}\r\n`]), 400, 'invalid_body');
    expect(await files()).toEqual(before);
  });

  it('whose sender hangs up keeps nothing, and the gateway goes on', async () => {
    const before = await files();
    const { authorization: token = '' } = authorization(url);
    for (let time = 0; time < 20; time += 1) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      const head = `POST /uploads HTTP/1.1\r\nHost: x\r\nAuthorization: ${token}\r\nContent-Type: ${FORM}\r\nContent-Length: 5000\r\n\r\n`;
      await new Promise<void>((sent) => socket.write(`${head}${part('gone.md')}half a les`, () => sent()));
      socket.destroy();
    }
    await uploaded(LESSON, 'after.md');
    expect((await files()).length).toBe(before.length + 1);
  });

  it('comes no more often than its limit allows, over all replicas', async () => {
    const env = { UPLOAD_RATE_LIMIT: '2', UPLOAD_BURST_LIMIT: '4' };
    const [one, two] = [await system.startGateway(env), await system.startGateway(env)];
    const ana = await aUser(one.url);
    const token = await ana.send('/auth/me');
    expect(token.status).toBe(200);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => upload(LESSON, 'a.md', 'text/markdown', ana)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 201, 429, 429, 429, 429]);
    const { headers } = answers.find(({ status }) => status === 429) ?? { headers: new Headers() };
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60);
    const ben = await aUser(two.url);
    await uploaded(LESSON, 'a.md', 'text/markdown', ben);
  });

  it('fits into its owner’s quota, whatever arrives at once', async () => {
    const tight = await system.startGateway({ ...generous, UPLOAD_QUOTA_PER_USER: '1000' });
    const ana = await aUser(tight.url);
    const before = await files();
    const send = () => upload('x'.repeat(400), 'a.md', 'text/markdown', ana);
    const answers = await Promise.all([send(), send(), send(), send(), send()]);
    const kept = answers.filter(({ status }) => status === 201);
    expect(kept.length).toBeLessThanOrEqual(2);
    for (const answer of answers.filter(({ status }) => status !== 201))
      expectProblem(answer, 413, 'quota_exceeded');
    expect((await files()).length).toBe(before.length + kept.length);
    const { body } = await ana.send('/user/files');
    for (const { id } of userFilesSchema.parse(body).files)
      await ana.send(`/user/files/${id}`, { method: 'DELETE' });
    await uploaded('x'.repeat(1_000), 'a.md', 'text/markdown', ana);
  });
});

describe('one’s own files', () => {
  it('are listed page by page, newest first', async () => {
    const ana = await aUser();
    for (const name of ['a.md', 'b.md', 'c.md']) await uploaded(LESSON, name, 'text/markdown', ana);
    const first = userFilesSchema.strict().parse((await ana.send('/user/files?limit=2')).body);
    expect([first.total, first.files.map(({ filename }) => filename)]).toEqual([3, ['c.md', 'b.md']]);
    const rest = userFilesSchema
      .strict()
      .parse((await ana.send(`/user/files?limit=2&cursor=${first.nextCursor}`)).body);
    expect(rest.files.map(({ filename }) => filename)).toEqual(['a.md']);
    for (const query of ['limit=0', 'limit=101', 'cursor=x', 'limit=1&limit=2'])
      expectProblem(await ana.send(`/user/files?${query}`), 400, 'invalid_query');
  });

  it('come back as attachments, never as pages', async () => {
    const { id, url: link } = await uploaded('# <b>bold</b>\n', 'Été "1".md');
    expect(link).toBe(`${url}/user/files/${id}`);
    const response = await fetch(link, { headers: authorization(url) });
    expect(await response.text()).toBe('# <b>bold</b>\n');
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/markdown; charset=utf-8',
      'content-disposition': expect.stringMatching(/^attachment; .*filename\*=UTF-8''%C3%89t%C3%A9/),
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining('sandbox'),
      'cache-control': 'private, no-store',
    });
  });

  it('are gone once they are deleted, text and all', async () => {
    const { id, md } = await uploaded(LESSON, 'gone.md');
    expect((await http.send(`/user/files/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect(await files()).not.toContain(`${id}.md`);
    expectProblem(await http.send(`/user/files/${id}`), 404, 'not_found');
    expectProblem(await http.send(`/user/files/${id}`, { method: 'DELETE' }), 404, 'not_found');
    expectProblem(await http.post('/jobs', { md }), 400, 'md_not_found');
  });

  it('look to others as if they were not there', async () => {
    const { id, md } = await uploaded(LESSON, 'mine.md');
    const ben = await aUser();
    expectProblem(await ben.post('/jobs', { md }), 400, 'md_not_found');
    expectProblem(await ben.send(`/user/files/${id}`), 404, 'not_found');
    expectProblem(await ben.send(`/user/files/${id}`, { method: 'DELETE' }), 404, 'not_found');
    expect((await ben.send('/user/files')).body).toEqual({ files: [], total: 0, nextCursor: null });
    expect((await http.send(`/user/files/${id}`, { method: 'HEAD' })).status).toBe(200);
  });

  it('are the only lessons that jobs can name', async () => {
    await eventually(async () => ((await http.send('/readyz')).status === 200 ? true : null));
    for (const md of [
      '../lesson.md',
      '/etc/passwd',
      'uploads/x/lesson.md',
      'lessons/anonymous/x.md',
      'file:///etc/passwd',
    ])
      expectProblem(await http.post('/jobs', { md }), 400, 'md_not_found');
  });
});
