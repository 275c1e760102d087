import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { filesystemBlobStore } from '@esl/kit/blob-store';
import { publish } from '@esl/kit/publish';
import { signedLinks } from '@esl/kit/signed-links';
import { eventually } from '@esl/kit/testing/world';
import type { Job } from '@esl-pipeline/contracts';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import { ArtifactKind } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { client, type GatewayWorld, LINK_SECRET, openGatewayWorld } from './gateway-world.ts';

const AUDIO = 'audio/ab/lesson.mp3';
const PAGE = 'pages/ab/lesson.html';

let system: GatewayWorld;
let url: string;
let audio: string;
beforeAll(async () => {
  system = await openGatewayWorld();
  ({ url } = await system.startGateway());
  const blobs = filesystemBlobStore(system.blobDir);
  const put = (key: string, text: string) =>
    blobs.put(key, Buffer.from(text), { contentType: '' }, AbortSignal.timeout(5_000));
  await put(AUDIO, '0123456789');
  await put(PAGE, '<p>page</p>');
  await put('lessons/ab/lesson.md', '<script>');
  await put('audio/ab/empty.mp3', '');
  audio = link(AUDIO);
});
afterAll(() => system.world[Symbol.asyncDispose]());

const link = (key: string, { updatedAt = Date.now(), now = Date.now() } = {}) =>
  signedLinks({ secret: LINK_SECRET, publicUrl: url, now: () => now }).file(key, updatedAt);

const codeOf = async (response: Response) => [
  response.status,
  ((await response.json()) as { code: string }).code,
];

describe('a signed link', () => {
  it('is what a job says of its page, audio and manifest', async () => {
    await system.writeLesson('lesson.md');
    const { submit, send } = client(url);
    const jobId = await submit('lesson.md');
    await system.jobs.claimRun({ jobId, workerId: 'w1' });
    const artifact = (kind: ArtifactKind, key: string) => ({
      kind,
      key,
      contentType: 'x',
      bytes: 1n,
      sha256: '',
    });
    await publish(system.bus, CHANNELS.runSucceeded, jobId, {
      eventId: `${jobId}:1`,
      jobId,
      attempt: 1,
      result: {
        artifacts: [
          artifact(ArtifactKind.PAGE, PAGE),
          artifact(ArtifactKind.AUDIO, AUDIO),
          artifact(ArtifactKind.MANIFEST, 'manifests/ab/lesson.json'),
        ],
      },
    });
    const job = await eventually(async () => {
      const { body } = await send(`/jobs/${jobId}`);
      return (body as Job).state === 'succeeded' ? (body as Job) : null;
    });
    expect(job.manifestPath).toBe('manifests/ab/lesson.json');
    expect(job.notionUrl).toBe(job.pageUrl);
    expect(job.links).toMatchObject({ page: job.pageUrl, audio: job.audioUrl });
    expect(await (await fetch(job.audioUrl ?? '')).text()).toBe('0123456789');
    expect(await (await fetch(job.pageUrl ?? '')).text()).toBe('<p>page</p>');
    const now = Date.parse(job.updatedAt) + 5 * 86_400_000;
    expect(link(AUDIO, { updatedAt: Date.parse(job.updatedAt), now })).toBe(job.audioUrl);
  });

  it('gives the file, typed by its key, to be kept for a while', async () => {
    const response = await fetch(audio);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'audio/mpeg',
      'content-length': '10',
      'accept-ranges': 'bytes',
      'cache-control': 'private, max-age=300',
      'cross-origin-resource-policy': 'cross-origin',
      'x-content-type-options': 'nosniff',
      etag: expect.stringMatching(/^".+"$/),
    });
    expect(await response.text()).toBe('0123456789');
    const head = await fetch(audio, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', '']);
    expect(await (await fetch(link('audio/ab/empty.mp3'))).text()).toBe('');
  });

  it('gives pages no power, and lessons no markup', async () => {
    const page = await fetch(link(PAGE));
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toBe(
      "sandbox; default-src 'none'; style-src 'unsafe-inline'; media-src data: 'self'; img-src https: data:; frame-ancestors 'none'",
    );
    const lesson = await fetch(link('lessons/ab/lesson.md'));
    expect(lesson.headers.get('content-type')).toBe('text/markdown; charset=utf-8');
    expect(lesson.headers.get('content-security-policy')).toContain('sandbox');
  });

  it.each([
    ['bytes=2-4', 'bytes 2-4/10', '234'],
    ['bytes=7-', 'bytes 7-9/10', '789'],
    ['bytes=-3', 'bytes 7-9/10', '789'],
    ['bytes=5-99', 'bytes 5-9/10', '56789'],
    ['bytes=-99', 'bytes 0-9/10', '0123456789'],
  ])('gives a part: %s', async (range, contentRange, text) => {
    const response = await fetch(audio, { headers: { range } });
    expect([response.status, response.headers.get('content-range'), await response.text()]).toEqual([
      206,
      contentRange,
      text,
    ]);
  });

  it.each(['bytes=4-2', 'bytes=a-b', 'lines=1-2', 'bytes=0-1,4-5'])(
    'gives the whole for %s',
    async (range) => {
      const response = await fetch(audio, { headers: { range } });
      expect([response.status, await response.text()]).toEqual([200, '0123456789']);
    },
  );

  it.each(['bytes=10-', 'bytes=-0'])('has no part %s', async (range) => {
    const response = await fetch(audio, { headers: { range } });
    expect(response.headers.get('content-range')).toBe('bytes */10');
    expect(await codeOf(response)).toEqual([416, 'range_not_satisfiable']);
  });

  it('knows whether the caller’s copy still holds', async () => {
    const path = join(system.blobDir, 'audio/ab/changing.mp3');
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, 'aaaa');
    const changing = link('audio/ab/changing.mp3');
    const etag = (await fetch(changing)).headers.get('etag') ?? '';
    expect((await fetch(changing, { headers: { 'if-none-match': etag } })).status).toBe(304);
    const resume = () => fetch(changing, { headers: { range: 'bytes=2-', 'if-range': etag } });
    expect((await resume()).status).toBe(206);
    await writeFile(path, 'bbbb');
    await utimes(path, 1, 1);
    expect(await (await resume()).text()).toBe('bbbb');
  });

  it('tells when it has expired', async () => {
    const old = link(AUDIO, { updatedAt: Date.now() - 30 * 86_400_000, now: Date.now() - 20 * 86_400_000 });
    expect(await codeOf(await fetch(old))).toEqual([403, 'link_expired']);
  });

  it.each([
    ['another key', (good: string) => good.replace('lesson.mp3', 'other.mp3')],
    ['another expiry', (good: string) => good.replace('expires=1', 'expires=2')],
    ['an expiry that is no number', (good: string) => good.replace('expires=1', 'expires=x1')],
    [
      'another signature',
      (good: string) =>
        good.replace(/signature=./, (start) => `${start.slice(0, -1)}${start.endsWith('A') ? 'B' : 'A'}`),
    ],
    ['half a signature', (good: string) => good.slice(0, -20)],
    ['two signatures', (good: string) => `${good}&signature=x`],
    ['no signature', (good: string) => good.slice(0, good.indexOf('?'))],
    ['a way out', (good: string) => good.replace('audio/ab/', 'audio/..%2f..%2f')],
    ['a way out of dots', (good: string) => good.replace('audio/ab/', '%2e%2e/%2e%2e/')],
    ['a null byte', (good: string) => good.replace('.mp3', '.mp3%00')],
    ['no file', (good: string) => good.replace(/files\/.*\?/, 'files/?')],
  ])('is nothing with %s', async (_what, forge) => {
    expect(await codeOf(await fetch(forge(audio)))).toEqual([404, 'not_found']);
  });

  it('is nothing when the file is not there', async () => {
    expect(await codeOf(await fetch(link('audio/ab/none.mp3')))).toEqual([404, 'not_found']);
  });
});
