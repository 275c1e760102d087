import { readEnv } from '@esl/kit/env';
import { createLog } from '@esl/kit/log';
import { openBlobStore } from '@esl/kit/open-blob-store';
import { signedLinks } from '@esl/kit/signed-links';
import { storageEnv } from '@esl/kit/storage-env';
import { type S3Server, startS3Server } from '@esl/kit/testing/s3-server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { client, type GatewayWorld, LINK_SECRET, openGatewayWorld } from './gateway-world.ts';

const AUDIO = 'audio/ab/lesson.mp3';
const SOUND = Buffer.from('0123456789'.repeat(50_000));

let s3: S3Server;
let system: GatewayWorld;
let url: string;
let audio: string;
beforeAll(async () => {
  s3 = await startS3Server();
  system = await openGatewayWorld();
  ({ url } = await system.startGateway({ ...s3.env, BATCH_BACKEND_ENABLE_EXTENDED_API: 'false' }));
  const store = await openBlobStore(readEnv(z.object(storageEnv), s3.env), createLog('test', 'silent'));
  await store.put(AUDIO, SOUND, { contentType: 'audio/mpeg' }, AbortSignal.timeout(5_000));
  audio = signedLinks({ secret: LINK_SECRET, publicUrl: url, now: Date.now }).file(AUDIO, Date.now());
});
afterAll(async () => {
  await system?.world[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
});
beforeEach(() => s3.calm());

describe('a file in S3', () => {
  it('is served whole and in part, through the gateway’s own links', async () => {
    const whole = await fetch(audio);
    expect([whole.status, whole.headers.get('content-type')]).toEqual([200, 'audio/mpeg']);
    expect(SOUND.equals(Buffer.from(await whole.arrayBuffer()))).toBe(true);
    const part = await fetch(audio, { headers: { range: 'bytes=10-19' } });
    expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
      206,
      `bytes 10-19/${SOUND.length}`,
      '0123456789',
    ]);
    expect(s3.seen.flatMap(({ range }) => range ?? [])).toEqual([
      `bytes=0-${SOUND.length - 1}`,
      'bytes=10-19',
    ]);
  });

  it('is not sent again to a browser that has it', async () => {
    const etag = (await fetch(audio, { method: 'HEAD' })).headers.get('etag') ?? '';
    expect((await fetch(audio, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect(s3.seen.every(({ method }) => method === 'HEAD')).toBe(true);
  });

  it('survives a connection that breaks in the middle', async () => {
    s3.trouble({ kind: 'cut', afterBytes: 1_000 }, { match: /^GET/ });
    expect(SOUND.equals(Buffer.from(await (await fetch(audio)).arrayBuffer()))).toBe(true);
  });

  it('is a 503 while the bucket refuses, without a word of why', async () => {
    s3.trouble({ kind: 'refuse', status: 403, code: 'InvalidAccessKeyId' }, { match: /^HEAD/ });
    const answer = await fetch(audio);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await answer.json()).toMatchObject({ code: 'unavailable' });
  });
});

describe('a lesson', () => {
  it('is in the bucket once its submission is accepted', async () => {
    const { submit } = client(url);
    const jobId = await submit(await system.writeLesson('stored.md', '# Stored\n'));
    expect(s3.seen.map(({ method }) => method)).toContain('PUT');
    // As a worker on another machine reads it.
    const { job } = await system.jobs.getJob({ scope: { reach: { case: 'everyone', value: true } }, jobId });
    expect(String(s3.objects.get(job?.spec?.lessonKey ?? '')?.body)).toBe('# Stored\n');
  });

  it('is not accepted while the bucket is full', async () => {
    s3.capacity = 0;
    const { status, body } = await client(url).post('/jobs', {
      md: await system.writeLesson('too-much.md', '# Too much\n'),
    });
    expect([status, body]).toMatchObject([503, { code: 'unavailable' }]);
  });
});
