import { eventually } from '@esl/kit/testing/world';
import { ArtifactKind, JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JobDocument } from '../../../jobs/src/outbound/job-documents.ts';
import { sample } from '../lessons.ts';
import { openWorkerWorld, type WorkerWorld } from '../worker-world.ts';
import { type NotionServer, openNotionServer } from './notion-server.ts';
import { FULL_SCHEMA } from './notion-world.ts';

let world: WorkerWorld;
let server: NotionServer;
let notionDatabase: string;
beforeAll(async () => {
  server = await openNotionServer();
  notionDatabase = server.givenDatabase('Homework', FULL_SCHEMA).id;
  world = await openWorkerWorld();
  world.defer(server[Symbol.asyncDispose]);
  await world.start({
    NOTION_TOKEN: server.token,
    NOTION_BASE_URL: server.url,
    NOTION_RATE_PER_SECOND: '1000',
    NOTION_RATE_BURST: '1000',
  });
});
afterAll(() => world?.[Symbol.asyncDispose]());
beforeEach(() => {
  server.requests.length = 0;
});

/** The machine may be busy with other specs. */
const ended = (jobId: string) => world.ended(jobId, 45_000);

type Job = Awaited<ReturnType<WorkerWorld['job']>>;
const pageOf = ({ artifacts }: Job) => artifacts.find(({ kind }) => kind === ArtifactKind.PAGE);
const idOf = (job: Job): string =>
  String(server.livePages().find(({ url }) => url === pageOf(job)?.url)?.id ?? 'no such page');
const codes = ({ warnings }: Job) => warnings.map(({ code }) => code);

describe('with a Notion token', () => {
  it('a lesson becomes a page in Notion that plays, and the job says where it is', async () => {
    const id = await world.submit(await sample('the-lost-parcel'), { withTts: true, notionDatabase });
    const job = await ended(id);
    expect(job).toMatchObject({ state: JobState.SUCCEEDED });
    expect(job.failure).toBeUndefined();
    expect(codes(job)).toEqual(['narrated_locally']);
    expect(pageOf(job)).toMatchObject({ url: expect.stringMatching(/^https:/) });
    expect(pageOf(job)?.key).toBeUndefined();
    expect(job.steps.find(({ name }) => name === 'import')?.detail).toBe('page made in Notion');
    const outline = server.outline(idOf(job));
    expect(outline[outline.findIndex((line) => line.startsWith('toggle')) - 1]).toMatch(/^audio\(file\)/);
    expect(server.page(idOf(job)).properties['Lesson ID']).toMatchObject({ rich_text: [{ plain_text: id }] });
    expect(server.refused()).toEqual([]);
    expect(await world.manifest(id)).toMatchObject({
      publisher: 'notion',
      pageId: idOf(job),
      pageUrl: pageOf(job)?.url,
    });

    server.requests.length = 0;
    const rerun = await ended(
      await world.submit(await sample('the-lost-parcel'), { withTts: true, notionDatabase }, id),
    );
    expect(pageOf(rerun)?.url).toBe(pageOf(job)?.url);
    expect(server.requests.map(({ method }) => method)).toEqual(['GET']);
  });

  it('an edit of the metadata colours the page that is there', async () => {
    const id = await world.submit(await sample('street-party'), { notionDatabase });
    const pageId = idOf(await ended(id));
    expect(server.outline(pageId)[0]).toMatch(/^heading_2\(yellow_background\)/);
    await world.call.editMetadata({
      scope: { reach: { case: 'everyone', value: true } },
      jobId: id,
      preset: 'calm-blue',
    });
    await eventually(async () => {
      const job = await world.mongo.db.collection<JobDocument>('jobs').findOne({ _id: id });
      return job?.refresh ? null : true;
    });
    expect(
      server.outline(pageId).filter((line) => line.startsWith('heading_2(blue_background)')),
    ).toHaveLength(9);
    expect(
      server.requests.filter(({ path, method }) => method === 'POST' && path === '/v1/pages'),
    ).toHaveLength(1);
  });

  it('a job that asks for a local page gets one', async () => {
    const job = await ended(await world.submit(await sample('street-party'), { notionDatabase: 'local' }));
    expect(pageOf(job)?.key).toMatch(/^pages\//);
    expect(server.requests).toHaveLength(0);
  });
});

describe('a job that Notion refuses', () => {
  it('fails once, with a code and a sentence', async () => {
    const missing = await ended(
      await world.submit(await sample('street-party'), { notionDatabase: crypto.randomUUID() }),
    );
    expect(missing).toMatchObject({
      state: JobState.FAILED,
      attempt: 1,
      failure: { code: 'notion_database_missing', step: 'import', retryable: false },
    });
    expect(missing.failure?.message).toContain('Connections');
    expect(server.requests).toHaveLength(2);

    server.requests.length = 0;
    server.revoke(server.token);
    const revoked = await ended(await world.submit(await sample('the-lost-parcel'), { notionDatabase }));
    expect(revoked).toMatchObject({
      state: JobState.FAILED,
      attempt: 1,
      failure: { code: 'notion_unauthorized' },
    });
    expect(server.requests).toHaveLength(1);
    expect(JSON.stringify(revoked.failure)).not.toContain(server.token);
  });
});
