import { randomBytes } from 'node:crypto';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type BlobStore, sha256 } from '../src/blob-store.ts';
import { readEnv } from '../src/env.ts';
import { createLog } from '../src/log.ts';
import { openBlobStore } from '../src/open-blob-store.ts';
import { connectS3, s3BlobStore } from '../src/s3-blob-store.ts';
import { storageEnv, storageOf } from '../src/storage-env.ts';
import { type S3Server, startS3Server } from '../testing/s3-server.ts';
import { blobStoreContract, bytes, forever, MP3 } from './blob-store.contract.ts';

const lines: string[] = [];
const log = createLog('test', 'info', { write: (line) => void lines.push(line) });

let server: S3Server;
let store: BlobStore;
beforeAll(async () => {
  server = await startS3Server();
  store = await open();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => {
  server.calm();
  lines.length = 0;
});

const open = (env: Record<string, string> = {}) =>
  openBlobStore(readEnv(z.object(storageEnv), { ...server.env, ...env }), log);
const put = (key: string, body: Uint8Array, over: { title?: string } = {}) =>
  store.put(key, body, { ...MP3, ...over }, forever);
const fault = (code: string) => ({ name: 'BlobStoreFault', code });
const methods = () => server.seen.map(({ method }) => method);
/** A new key under the hash of its content. */
const aHashed = (size = 1_000) => {
  const body = randomBytes(size);
  const hash = sha256(body);
  return { key: `audio/${hash.slice(0, 2)}/${hash}.mp3`, body };
};

describe('the S3 blob store', () => {
  blobStoreContract(() => open());
  describe('below a prefix that needs escaping', () => {
    blobStoreContract(() => open({ S3_PREFIX: '/École 1+1/ü=(ö)!/' }));
  });
});

describe('what is stored', () => {
  it('is told apart by where it lies', async () => {
    const split = await open({
      S3_PREFIX: 'sounds',
      S3_PATH_PREFIX: 'texts',
      ESL_PIPELINE_MANIFEST_PREFIX: '/made/',
    });
    for (const key of ['audio/a.mp3', 'lessons/a.md', 'manifests/a.json'])
      await split.put(key, bytes('x'), MP3, forever);
    expect([...server.objects.keys()]).toEqual(
      expect.arrayContaining(['sounds/audio/a.mp3', 'texts/lessons/a.md', 'made/manifests/a.json']),
    );
    expect(split.providerOf('audio/a.mp3')).toBe('s3');
  });

  it('goes once when its name is its hash, may be kept for ever, and has a friendly name', async () => {
    const { key, body } = aHashed();
    await put(key, body, { title: 'Mira’s "lost" parcel' });
    await put(key, body);
    expect(methods()).toEqual(['HEAD', 'PUT', 'HEAD']);
    expect(server.objects.get(key)?.headers).toEqual({
      'content-type': 'audio/mpeg',
      'cache-control': 'public, max-age=31536000, immutable',
      'content-disposition': `inline; filename="Miras lost parcel.mp3"; filename*=UTF-8''Mira%E2%80%99s%20%22lost%22%20parcel.mp3`,
    });
  });

  it('is private, and carries its checksum', async () => {
    const { key, body } = aHashed();
    await put(key, body);
    expect(server.objects.get(key)).toMatchObject({
      isPublic: false,
      sha256: Buffer.from(sha256(body), 'hex').toString('base64'),
    });
    expect((await fetch(`${server.url}/${server.bucket}/${key}`)).status).toBe(403);
  });

  it('may change under a name that says nothing of its content, and is then asked for again', async () => {
    await put('manifests/m.json', bytes('{"a":1}'));
    await put('manifests/m.json', bytes('{"b":2}'));
    expect(methods()).toEqual(['PUT', 'PUT']);
    expect(server.objects.get('manifests/m.json')?.headers).not.toHaveProperty('cache-control');
  });
});

describe('an answer that does not come', () => {
  it.each([
    ['is refused for a while', { kind: 'refuse', status: 503, code: 'SlowDown' }],
    ['is an error inside S3', { kind: 'refuse', status: 500, code: 'InternalError' }],
    ['is cut off before the work', { kind: 'reset' }],
    ['is lost after the work', { kind: 'lose' }],
  ] as const)('and %s: it is asked for again, and stored once', async (_, trouble) => {
    const { key, body } = aHashed();
    server.trouble(trouble, { match: /^PUT/ });
    await put(key, body);
    expect(methods()).toEqual(['HEAD', 'PUT', 'PUT']);
    expect(server.objects.get(key)?.body.equals(body)).toBe(true);
  });

  it('is waited for a few times only', async () => {
    server.trouble({ kind: 'refuse', status: 503, code: 'SlowDown' }, { times: 3, match: /^GET/ });
    await expect(store.get('lessons/a.md', forever)).rejects.toMatchObject(fault('unavailable'));
    expect(methods()).toHaveLength(3);
  });

  it('ends with the signal', async () => {
    server.trouble({ kind: 'hang' }, { match: /^GET/ });
    const stop = new AbortController();
    const getting = store.get('lessons/a.md', stop.signal);
    await expect.poll(() => methods()).toEqual(['GET']);
    stop.abort(new Error('cancelled'));
    await expect(getting).rejects.toThrow('cancelled');
  });
});

describe('a body that is cut off', () => {
  const body = randomBytes(300_000);
  beforeEach(() => put('lessons/long.md', body));

  it('is read on from where it was', async () => {
    for (const afterBytes of [100_000, 50_000])
      server.trouble({ kind: 'cut', afterBytes }, { match: /^GET/ });
    const part = await buffer(store.read('lessons/long.md', { start: 10, end: 299_999 }, forever));
    expect(part.equals(body.subarray(10))).toBe(true);
    const ranges = server.seen.flatMap(({ range }) => range ?? []);
    expect(ranges[0]).toBe('bytes=10-299999');
    expect(ranges).toHaveLength(3);
  });

  it('is fetched again when it is wanted whole', async () => {
    server.trouble({ kind: 'cut', afterBytes: 1_000 }, { match: /^GET/ });
    expect(Buffer.from((await store.get('lessons/long.md', forever)) ?? []).equals(body)).toBe(true);
  });

  it('is given up when it gets no further', async () => {
    server.trouble({ kind: 'cut', afterBytes: 0 }, { times: 20, match: /^GET/ });
    const reading = buffer(store.read('lessons/long.md', { start: 0, end: 9 }, forever));
    await expect(reading).rejects.toMatchObject(fault('unavailable'));
    expect(methods().filter((method) => method === 'GET').length).toBeLessThan(20);
  });

  it('is not mixed with another version', async () => {
    server.trouble({ kind: 'cut', afterBytes: 100 }, { match: /^GET/ });
    const stream = store.read('lessons/long.md', { start: 0, end: 299_999 }, forever);
    const reading = buffer(stream);
    await put('lessons/long.md', randomBytes(300_000));
    const outcome = await reading.then(
      (whole) => whole.equals(body) || server.objects.get('lessons/long.md')?.body.equals(whole),
      () => true,
    );
    expect(outcome).toBe(true);
  });

  it('waits for its reader', async () => {
    const large = randomBytes(8 * 1024 * 1024);
    await put('audio/wait.mp3', large);
    const stream = store.read('audio/wait.mp3', { start: 0, end: large.length - 1 }, forever);
    const pieces = stream[Symbol.asyncIterator]();
    await pieces.next();
    await expect.poll(() => stream.readableLength).toBeGreaterThan(0);
    expect(stream.readableLength).toBeLessThan(1024 * 1024);
    await pieces.return?.();
  });
});

describe('a link', () => {
  const linked = (S3_AUDIO_LINKS: string, over: Record<string, string> = {}) =>
    open({ S3_AUDIO_LINKS, ...over });

  it('is not given unless the system is told so', async () => {
    const { key, body } = aHashed();
    await put(key, body);
    expect(await store.urlFor(key, forever)).toBeNull();
  });

  it('to a public object works for everyone and stays', async () => {
    const { key, body } = aHashed();
    const open = await linked('public', { S3_PREFIX: 'Klasse 7/ä+b' });
    await open.put(key, body, MP3, forever);
    const link = await open.urlFor(key, forever);
    expect(link).toEqual({
      url: `${server.url}/${server.bucket}/Klasse%207/%C3%A4%2Bb/${key}`,
      expiresAt: null,
    });
    expect((await fetch(link?.url ?? '')).status).toBe(200);
    expect(await open.urlFor(key, forever)).toEqual(link);
  });

  it('is the bucket’s own business where access lists are off', async () => {
    const { key, body } = aHashed();
    const open = await linked('public');
    await open.put(key, body, MP3, forever);
    server.areAclsOn = false;
    expect(await open.urlFor(key, forever)).toBeNull();
    expect(lines.join()).toContain('could not be made public');
    server.isPublicByPolicy = true;
    expect(await open.urlFor(key, forever)).toMatchObject({ expiresAt: null });
  });

  it('may be signed, and then ends', async () => {
    const { key, body } = aHashed();
    const signed = await linked('presigned', { PRESIGNED_URL_EXPIRES_IN: '600', S3_PREFIX: 'a b/ö' });
    await signed.put(key, body, MP3, forever);
    const { url, expiresAt } = (await signed.urlFor(key, forever)) ?? { url: '', expiresAt: null };
    const answer = await fetch(url, { headers: { range: 'bytes=0-9' } });
    expect([answer.status, (await answer.arrayBuffer()).byteLength]).toEqual([206, 10]);
    expect((await fetch(url.replace(/(Signature=)./, '$1z'))).status).toBe(403);
    expect((await fetch(url.replace('Expires=600', 'Expires=6000'))).status).toBe(403);
    const inMs = (expiresAt?.getTime() ?? 0) - Date.now();
    expect(Math.abs(inMs - 600_000)).toBeLessThan(60_000);
    server.now = () => Date.now() + 601_000;
    expect((await fetch(url)).status).toBe(403);
  });

  it('to AWS itself has the bucket’s own host', async () => {
    const { account } = storageOf(
      readEnv(z.object(storageEnv), {
        S3_BUCKET: 'lessons',
        AWS_REGION: 'ap-southeast-1',
        AWS_ACCESS_KEY_ID: 'AKIA',
        AWS_SECRET_ACCESS_KEY: 'hush',
      }),
    );
    const links = { kind: 'presigned', seconds: 60 } as const;
    const aws = s3BlobStore(connectS3(account), { bucket: 'lessons', prefix: 'a b', links, log });
    expect((await aws.urlFor('audio/x.mp3', forever))?.url).toMatch(
      /^https:\/\/lessons\.s3\.ap-southeast-1\.amazonaws\.com\/a%20b\/audio\/x\.mp3\?.*X-Amz-Expires=60/,
    );
  });
});

describe('a bucket that refuses', () => {
  const hashed = () => aHashed(5_000);

  it.each([
    ['denied', { S3_SECRET_ACCESS_KEY: 'wrong' }],
    ['denied', { S3_ACCESS_KEY_ID: 'AKIAOTHER' }],
    ['no_bucket', { S3_BUCKET: 'no-such-bucket' }],
  ])('says %s, after few requests', async (code, env) => {
    const refused = await open(env);
    const { key, body } = hashed();
    await expect(refused.put(key, body, MP3, forever)).rejects.toMatchObject(fault(code));
    await expect(refused.get(key, forever)).rejects.toMatchObject(fault(code));
    await expect(text(refused.read(key, { start: 0, end: 1 }, forever))).rejects.toMatchObject(fault(code));
    expect(server.seen.length).toBeLessThanOrEqual(6);
    expect(server.objects.has(key)).toBe(false);
  });

  it('says full, after few requests', async () => {
    server.capacity = 0;
    const { key, body } = hashed();
    await expect(put(key, body)).rejects.toMatchObject(fault('full'));
    expect(server.seen.length).toBeLessThanOrEqual(4);
  });

  it('never has its keys in what is logged or thrown', async () => {
    const secret = 'very/secret+key';
    const refused = await open({ S3_SECRET_ACCESS_KEY: secret });
    const error = await refused.get('lessons/a.md', forever).catch((reason: unknown) => reason);
    log.error({ err: error }, 'refused');
    expect(lines.join()).toContain('denied');
    expect(lines.join()).not.toContain(secret);
  });
});
