import { publish } from '@esl/kit/publish';
import { eventually } from '@esl/kit/testing/world';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import { JobPriority, JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { JobSort } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobFilter, Scope } from '../src/app/needs.ts';
import type { OwnerId } from '../src/domain/job.ts';
import type { JobDocument } from '../src/outbound/job-documents.ts';
import { listQuery } from '../src/outbound/mongo-job-lists.ts';
import { everyone, type JobsWorld, openJobsWorld, owner } from './jobs-world.ts';

let world: JobsWorld;
beforeAll(async () => {
  world = await openJobsWorld();
});
afterAll(() => world?.world[Symbol.asyncDispose]());

const collection = () => world.world.mongo.db.collection<JobDocument>('jobs');

type Request = Omit<Parameters<JobsWorld['jobs']['listJobs']>[0], '$typeName'>;

/** All pages of a list; `between` runs after each page. */
const allPages = async (request: Request, between?: () => Promise<unknown>): Promise<string[]> => {
  const seen: string[] = [];
  let pageToken = '';
  do {
    const page = await world.jobs.listJobs({ ...request, pageToken });
    seen.push(...page.jobs.map(({ id }) => id));
    pageToken = page.nextPageToken;
    await between?.();
  } while (pageToken);
  return seen;
};

describe('pages while rows come and go', () => {
  it.each([
    ['newest first', JobSort.CREATED_DESC],
    ['oldest first', JobSort.CREATED_ASC],
    ['latest change first', JobSort.UPDATED_DESC],
    ['earliest change first', JobSort.UPDATED_ASC],
  ])('show no row twice and miss none that was there throughout, %s', async (name, sort) => {
    const ownerId = `pages ${name}`;
    const scope = owner(ownerId);
    const stays: string[] = [];
    const goes: string[] = [];
    for (let index = 0; index < 30; index += 1) {
      const id = await world.create({ ownerId });
      (index % 3 === 0 ? goes : stays).push(id);
    }
    const seen = await allPages({ scope, sort, pageSize: 4 }, async () => {
      await world.create({ ownerId });
      const gone = goes.pop();
      if (gone) await world.admin.deleteJob({ scope, jobId: gone, actor: 'spec' });
    });
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(stays));
  });
});

describe('filters', () => {
  it('find by batch, parent, priority, and how jobs ended', async () => {
    const ownerId = 'filters';
    const scope = owner(ownerId);
    const batch = world.newBatch(ownerId, 2);
    await world.batches.createBatch(batch);
    const failed = await world.create({ ownerId, priority: JobPriority.HIGH });
    await world.claim(failed);
    await publish(world.bus, CHANNELS.runFailed, failed, {
      jobId: failed,
      attempt: 1,
      failure: { code: 'x', message: 'x' },
    });
    await world.stateIs(failed, JobState.FAILED);
    const child = await world.create({ ownerId, parentJobId: failed });
    const ids = (request: Omit<Request, 'scope'>) => allPages({ scope, ...request });
    expect((await ids({ batchId: batch.batchId })).sort()).toEqual(batch.jobs.map(({ id }) => id).sort());
    expect(await ids({ parentJobId: failed })).toEqual([child]);
    expect(await ids({ priority: JobPriority.HIGH })).toEqual([failed]);
    expect(await ids({ hasError: true })).toEqual([failed]);
    expect(await ids({ states: [JobState.FAILED] })).toEqual([failed]);
    expect(
      await ids({ states: [JobState.FAILED, JobState.QUEUED], sort: JobSort.UPDATED_DESC }),
    ).toHaveLength(4);
  });
});

describe('searching', () => {
  it('finds whole words of title, student, topic and file name, in any order and spelling', async () => {
    const ownerId = 'searcher';
    const scope = owner(ownerId);
    const id = await world.create({ ownerId, spec: { md: 'unit-7/parcel.md', lessonKey: 'lessons/a.md' } });
    const find = async (query: string, sort?: JobSort) =>
      await allPages({ scope, query, ...(sort && { sort }) });
    expect(await find('parcel')).toEqual([id]);
    expect(await find('zoë')).toEqual([]);
    await world.claim(id);
    const lesson = { title: 'The Lost Café', student: 'Zoë', level: 'B1', topic: 'travel' };
    await publish(world.bus, CHANNELS.runStepped, id, { jobId: id, attempt: 1, sequence: 1, lesson });
    await eventually(async () => ((await world.get(id)).lesson?.title ? true : null));
    for (const query of ['cafe lost', 'ZOE', 'travel, unit 7', 'CAFÉ parcel'])
      expect(await find(query)).toEqual([id]);
    for (const query of ['caf', 'lost elsewhere', '…', '']) expect(await find(query)).toEqual([]);
    expect(await find('cafe', JobSort.UPDATED_ASC)).toEqual([id]);
    expect(await allPages({ scope: owner('someone else'), query: 'cafe' })).toEqual([]);
    expect(await allPages({ scope: everyone, query: 'cafe' })).toEqual([id]);
  });
});

const NO_FILTER: JobFilter = {
  states: [],
  preset: null,
  mode: null,
  notionDatabase: null,
  parentJobId: null,
  createdFrom: null,
  createdTo: null,
  finishedFrom: null,
  finishedTo: null,
  hasError: null,
  batchId: null,
  priority: null,
  words: null,
};
const day = new Date('2026-03-01T00:00:00Z');
const id = '01890a5d-ac96-774b-bcce-b302099a8057';
const FILTERS: Readonly<Record<string, Partial<JobFilter>>> = {
  none: {},
  state: { states: ['failed'] },
  'several states': { states: ['queued', 'running'] },
  preset: { preset: 'calm-blue' },
  mode: { mode: 'dialogue' },
  database: { notionDatabase: 'db' },
  parent: { parentJobId: id },
  batch: { batchId: id },
  priority: { priority: 'low' },
  created: { createdFrom: day, createdTo: day },
  finished: { finishedFrom: day, finishedTo: day },
  error: { hasError: true },
  words: { words: ['lost', 'parcel'] },
  'words and state': { words: ['lost'], states: ['succeeded'] },
};
const SCOPES: readonly [string, Scope][] = [
  ['an owner', { ownerId: 'ana' as OwnerId }],
  ['everyone', 'everyone'],
];

describe('plans', () => {
  const stagesOf = (plan: object): string[] =>
    [...JSON.stringify(plan).matchAll(/"stage":"(\w+)"/g)].map(([, stage = '']) => stage);
  const cases = SCOPES.flatMap(([who, scope]) =>
    Object.keys(FILTERS).flatMap((filter) =>
      (['-createdAt', 'createdAt', '-updatedAt', 'updatedAt'] as const).map(
        (sort) => [who, filter, sort, scope] as const,
      ),
    ),
  );

  it.each(cases)('of %s by %s, %s, read an index and sort nothing', async (_who, name, sort, scope) => {
    const filter = { ...NO_FILTER, ...FILTERS[name] };
    const query = listQuery(scope, filter, { sort, after: { value: day.getTime(), id } });
    const { queryPlanner } = await collection()
      .find(query.page, { hint: query.hint })
      .sort(query.sort)
      .limit(26)
      .explain('queryPlanner');
    const stages = stagesOf(queryPlanner.winningPlan);
    expect(stages).toContain('IXSCAN');
    expect(stages).not.toContain('COLLSCAN');
    // The few jobs of a batch, a parent, or of some words may be sorted by their change.
    const isFew = filter.batchId !== null || filter.parentJobId !== null || filter.words !== null;
    if (!(isFew && sort.endsWith('updatedAt'))) expect(stages).not.toContain('SORT');
    const counting = await collection().find(query.matching, { hint: query.hint }).explain('queryPlanner');
    expect(stagesOf(counting.queryPlanner.winningPlan)).not.toContain('COLLSCAN');
  });
});
