import type { BlobStore } from '@esl/kit/blob-store';
import { readEnv } from '@esl/kit/env';
import { createLog } from '@esl/kit/log';
import { openBlobStore } from '@esl/kit/open-blob-store';
import { shutDown } from '@esl/kit/shut-down';
import { storageEnv } from '@esl/kit/storage-env';
import { type S3Server, startS3Server } from '@esl/kit/testing/s3-server';
import { ArtifactKind, JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { dialogueOf } from './lessons.ts';
import { type NotionServer, openNotionServer } from './notion/notion-server.ts';
import { FULL_SCHEMA } from './notion/notion-world.ts';
import { keysUnder, openWorkerWorld, type WorkerWorld } from './worker-world.ts';

vi.setConfig({ testTimeout: 120_000 });

let s3: S3Server;
let store: BlobStore;
let world: WorkerWorld;
beforeAll(async () => {
  s3 = await startS3Server();
  store = await openBlobStore(readEnv(z.object(storageEnv), s3.env), createLog('test', 'silent'));
  world = await openWorkerWorld({ store });
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
});
beforeEach(() => s3.calm());

const NARRATED = { withTts: true, upload: 's3' };
let lessons = 0;
const aLesson = () => {
  lessons += 1;
  return dialogueOf([`Hello ${lessons}.`, 'Yes?']);
};

/** Runs one job to its end by a worker of its own. */
const run = async (
  env: Record<string, string>,
  spec: object = NARRATED,
  meanwhile: () => void = () => {},
) => {
  const id = await world.submit(await aLesson(), spec);
  meanwhile();
  const worker = await world.startOne({ ...s3.env, ...env });
  try {
    return await world.ended(id, 60_000);
  } finally {
    await shutDown(worker.stop, world.log);
  }
};
const keyOf = (job: Awaited<ReturnType<typeof run>>, kind: ArtifactKind) =>
  job.artifacts.find((each) => each.kind === kind)?.key ?? '';
const codes = ({ warnings }: Awaited<ReturnType<typeof run>>) => warnings.map(({ code }) => code).sort();
const detailOf = ({ steps }: Awaited<ReturnType<typeof run>>, name: string) =>
  steps.find((step) => step.name === name)?.detail;

describe('a job whose files lie in S3', () => {
  it('leaves nothing on this machine, and does not complain of a missing bucket', async () => {
    const job = await run({});
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(codes(job)).toEqual(['narrated_locally', 'published_locally']);
    expect(detailOf(job, 'upload')).toBe('stored in S3');
    for (const kind of [ArtifactKind.PAGE, ArtifactKind.AUDIO, ArtifactKind.MANIFEST])
      expect(s3.objects.has(keyOf(job, kind))).toBe(true);
    expect(await keysUnder(world.folder, 'blobs')).toEqual([]);
    expect(s3.objects.get(keyOf(job, ArtifactKind.AUDIO))?.headers).toMatchObject({
      'content-type': 'audio/mpeg',
      'cache-control': expect.stringContaining('immutable'),
      'content-disposition': expect.stringContaining('.mp3'),
    });
  });

  it('makes its audio public where the system is told so, but not when nothing is to be uploaded', async () => {
    const links = { S3_AUDIO_LINKS: 'public' };
    const shown = await run(links);
    expect(s3.objects.get(keyOf(shown, ArtifactKind.AUDIO))?.isPublic).toBe(true);
    const kept = await run(links, { withTts: true, upload: 'none' });
    expect(kept.state).toBe(JobState.SUCCEEDED);
    expect(s3.objects.get(keyOf(kept, ArtifactKind.AUDIO))?.isPublic).toBe(false);
  });

  it('gets over a slow, broken and forgetful bucket', async () => {
    s3.trouble({ kind: 'refuse', status: 503, code: 'SlowDown' }, { match: /^PUT speech/ });
    s3.trouble({ kind: 'reset' }, { match: /^GET lessons/ });
    s3.trouble({ kind: 'lose' }, { match: /^PUT audio/ });
    s3.trouble({ kind: 'cut', afterBytes: 100 }, { match: /^GET audio/ });
    const job = await run({});
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, attempt: 1 });
  });
});

describe('a page in Notion', () => {
  let notion: NotionServer;
  beforeAll(async () => {
    notion = await openNotionServer();
  });
  afterAll(() => notion[Symbol.asyncDispose]());

  /** What the one audio block of a new page plays from. */
  const published = async (env: Record<string, string>) => {
    const { id: notionDatabase } = notion.givenDatabase('Homework', FULL_SCHEMA);
    const notionEnv = { NOTION_TOKEN: notion.token, NOTION_BASE_URL: notion.url };
    const job = await run({ ...notionEnv, ...env }, { ...NARRATED, notionDatabase });
    expect(job.state).toBe(JobState.SUCCEEDED);
    const pageId = (await world.manifest(job.id)).pageId;
    const [audio] = notion.blocksOf(pageId).filter(({ type }) => type === 'audio');
    return { job, audio: audio?.audio as { type: string; external?: { url: string } } };
  };

  it('plays from a public bucket', async () => {
    const { job, audio } = await published({ S3_AUDIO_LINKS: 'public' });
    expect(codes(job)).not.toContain('audio_link_expires');
    expect((await fetch(audio.external?.url ?? '')).status).toBe(200);
  });

  it('plays from a signed link, and the job says that it ends', async () => {
    const { job, audio } = await published({
      S3_AUDIO_LINKS: 'presigned',
      PRESIGNED_URL_EXPIRES_IN: '86400',
    });
    expect(job.warnings).toContainEqual(
      expect.objectContaining({
        code: 'audio_link_expires',
        message: expect.stringContaining('about 24 hours'),
      }),
    );
    expect((await fetch(audio.external?.url ?? '')).status).toBe(200);
  });

  it('holds a copy while the bucket is private', async () => {
    const { audio } = await published({});
    expect(audio.type).toBe('file');
    expect(notion.uploaded()).toHaveLength(1);
  });
});

describe('a job whose bucket says no', () => {
  const cases: [string, string, Record<string, string>, () => void][] = [
    ['refuses the keys', 'storage_denied', { S3_SECRET_ACCESS_KEY: 'another' }, () => {}],
    ['does not exist', 'storage_missing', { S3_BUCKET: 'gone' }, () => {}],
    [
      'is full',
      'storage_full',
      {},
      () => {
        s3.capacity = 0;
      },
    ],
  ];
  it.each(cases)('fails at once when it %s, and says what to do', async (_, code, env, meanwhile) => {
    const job = await run(env, { withTts: false }, () => {
      s3.calm();
      meanwhile();
    });
    expect(job).toMatchObject({
      state: JobState.FAILED,
      attempt: 1,
      failure: {
        code,
        retryable: false,
        message: expect.stringMatching(/Ask whoever runs the system to .* retry/),
      },
    });
    expect(JSON.stringify(job.failure)).not.toContain(s3.account.accessKeyId);
    expect(s3.seen.length).toBeLessThanOrEqual(5);
  });
});
