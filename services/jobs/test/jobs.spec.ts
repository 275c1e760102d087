import { fromBinary } from '@bufbuild/protobuf';
import type { Bus } from '@esl/kit/bus';
import { connectGrpc, type GrpcClient } from '@esl/kit/grpc-client';
import { publish, SCHEMA_HEADER } from '@esl/kit/publish';
import { eventually, openWorld, type World } from '@esl/kit/testing/world';
import { CHANNELS, CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { JobPriority, JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { JobSort, JobsService, RenewalState } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../src/config.ts';
import type { JobDocument } from '../src/outbound/job-documents.ts';
import { startJobs } from '../src/start.ts';
import { newJobId } from './builders.ts';

const LEASE_MS = 1_000;
const topology = { streams: Object.values(STREAMS), consumers: Object.values(CONSUMERS) };

let world: World;
let bus: Bus;
let call: GrpcClient<typeof JobsService>['call'];
beforeAll(async () => {
  world = await openWorld();
  bus = await world.connectBus(topology);
  const config = loadConfig({ ...world.env, JOB_LEASE_MS: String(LEASE_MS) });
  const jobs = await world.run(startJobs({ config, log: world.log }));
  const client = connectGrpc(JobsService, { address: jobs.address, deadlineMs: 10_000 });
  world.defer(client.close);
  ({ call } = client);
});
afterAll(() => world[Symbol.asyncDispose]());

const everyone = { reach: { case: 'everyone', value: true } } as const;
const owner = (value: string) => ({ reach: { case: 'ownerId', value } }) as const;
const documents = () => world.mongo.db.collection<JobDocument>('jobs');

const create = async (over: { id?: string; ownerId?: string } = {}) => {
  const id = over.id ?? newJobId();
  const spec = { md: 'a.md', lessonKey: 'lessons/a.md' };
  const { jobs } = await call.createJobs({ jobs: [{ ownerId: 'ana', spec, ...over, id }] });
  expect(jobs[0]?.id).toBe(id);
  return id;
};
const get = async (jobId: string) => {
  const { job } = await call.getJob({ scope: everyone, jobId });
  if (!job) throw new Error('no job');
  return job;
};
const claim = async (jobId: string, workerId = 'w1') => (await call.claimRun({ jobId, workerId })).outcome;
const claimed = async (jobId: string, workerId = 'w1') => {
  const outcome = await claim(jobId, workerId);
  if (outcome.case !== 'claimed') throw new Error(`expected a claim, got ${outcome.case}`);
  return outcome.value;
};
const stateIs = (jobId: string, state: JobState) =>
  eventually(async () => {
    const job = await get(jobId);
    return job.state === state ? job : null;
  });

/** The facts of one job that the stream holds, in stream order. */
const factsOf = async (jobId: string): Promise<{ subject: string; version: number; state: JobState }[]> => {
  const facts = [];
  const { state } = await bus.jsm.streams.info('JOBS');
  for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
    const message = await bus.jsm.direct.getMessage('JOBS', { seq }).catch(() => null);
    if (!message?.subject.endsWith(jobId)) continue;
    const channel = Object.values(CHANNELS).find(
      ({ schema }) => schema.typeName === message.header.get(SCHEMA_HEADER),
    );
    const fact =
      channel && (fromBinary(channel.schema, message.data) as { version: number; job?: { state: JobState } });
    facts.push({
      subject: message.subject.split('.')[1] ?? '',
      version: fact?.version ?? 0,
      state: fact?.job?.state ?? JobState.UNSPECIFIED,
    });
  }
  return facts;
};
const workMessage = async (jobId: string) => {
  try {
    return await bus.jsm.streams.getMessage('WORK', { last_by_subj: `work.run.*.${jobId}` });
  } catch {
    return null;
  }
};
const outboxIsEmpty = (jobId: string) =>
  eventually(async () => ((await documents().findOne({ _id: jobId }))?.outbox.length === 0 ? true : null));

describe('creating jobs', () => {
  it('stores, announces and queues them, and clears the outbox', async () => {
    const id = await create({ ownerId: 'first' });
    await eventually(() => workMessage(id));
    await eventually(async () => ((await factsOf(id)).length === 1 ? true : null));
    expect(await factsOf(id)).toEqual([{ subject: 'created', version: 1, state: JobState.QUEUED }]);
    await outboxIsEmpty(id);
  });

  it('answers the same for the same ids again, and changes nothing', async () => {
    const id = await create();
    await claimed(id);
    const { jobs } = await call.createJobs({
      jobs: [{ id, ownerId: 'ana', spec: { md: 'other.md', lessonKey: 'lessons/b.md' } }],
    });
    expect(jobs[0]).toMatchObject({ id, state: JobState.RUNNING, spec: { md: 'a.md' } });
  });

  it('shows nothing of another owner’s job under an id that is taken', async () => {
    const id = await create({ ownerId: 'ana' });
    const wanted = call.createJobs({
      jobs: [{ id, ownerId: 'bo', spec: { md: 'b.md', lessonKey: 'lessons/b.md' } }],
    });
    await expect(wanted).rejects.toMatchObject({ refusal: { code: 'invalid_job_id' } });
    expect((await get(id)).ownerId).toBe('ana');
  });

  it('uses the queue of the priority', async () => {
    const id = newJobId();
    const spec = { md: 'a.md', lessonKey: 'lessons/a.md' };
    await call.createJobs({ jobs: [{ id, ownerId: 'urgent', spec, priority: JobPriority.HIGH }] });
    expect((await eventually(() => workMessage(id))).subject).toBe(`work.run.high.${id}`);
  });

  it.each(['', 'x', 'ffffffff-ffff-7fff-bfff-ffffffffffff', '7b0f0c36-4a3f-4e0c-9c1f-0a6cb1d1c001'])(
    'refuses the id %j',
    async (id) => {
      const wanted = call.createJobs({ jobs: [{ id, ownerId: 'ana', spec: { md: 'a', lessonKey: 'b' } }] });
      await expect(wanted).rejects.toMatchObject({ refusal: { code: 'invalid_job_id' } });
    },
  );
});

describe('reading jobs', () => {
  it('shows another owner’s job as missing', async () => {
    const jobId = await create({ ownerId: 'ana' });
    await expect(call.getJob({ scope: owner('bo'), jobId })).rejects.toMatchObject({
      refusal: { code: 'job_not_found' },
    });
    await expect(call.cancelJob({ scope: owner('bo'), jobId })).rejects.toMatchObject({
      refusal: { code: 'job_not_found' },
    });
    expect((await get(jobId)).state).toBe(JobState.QUEUED);
  });

  it('refuses a request that says nobody’s', async () => {
    await expect(call.listJobs({})).rejects.toMatchObject({ refusal: { code: 'scope_required' } });
  });

  it('lists page by page without repeats or holes while jobs are added', async () => {
    const scope = owner('lister');
    const ids: string[] = [];
    for (let index = 0; index < 7; index += 1) ids.push(await create({ ownerId: 'lister' }));
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await call.listJobs({ scope, pageSize: 3, pageToken });
      seen.push(...page.jobs.map(({ id }) => id));
      pageToken = page.nextPageToken;
      await create({ ownerId: 'lister' });
    } while (pageToken);
    expect(seen).toEqual(ids.sort().reverse());
  });

  it('filters by state, and counts all that match', async () => {
    const scope = owner('filter');
    const [first = ''] = [await create({ ownerId: 'filter' }), await create({ ownerId: 'filter' })];
    await call.cancelJob({ scope, jobId: first });
    const { jobs, total } = await call.listJobs({ scope, states: [JobState.CANCELLED] });
    expect(jobs.map(({ id }) => id)).toEqual([first]);
    expect(total).toBe(1n);
  });

  it('refuses a page token of another list', async () => {
    const scope = owner('lister');
    const { nextPageToken } = await call.listJobs({ scope, pageSize: 1 });
    for (const pageToken of ['nonsense', Buffer.from('[1,2,3]').toString('base64url'), nextPageToken]) {
      await expect(call.listJobs({ scope, pageToken, sort: JobSort.UPDATED_ASC })).rejects.toMatchObject({
        refusal: { code: 'invalid_page_token' },
      });
    }
  });
});

describe('running a job', () => {
  it('gives it to one worker only, and to that one again when it asks twice', async () => {
    const id = await create();
    const outcomes = await Promise.all(Array.from({ length: 8 }, (_, index) => claim(id, `w${index}`)));
    expect(outcomes.filter(({ case: kind }) => kind === 'claimed')).toHaveLength(1);
    const winner = `w${outcomes.findIndex(({ case: kind }) => kind === 'claimed')}`;
    expect((await claimed(id, winner)).job?.attempt).toBe(1);
  });

  it('announces every move once, in order, and ends with the result', async () => {
    const jobId = await create();
    const { job } = await claimed(jobId);
    const attempt = job?.attempt ?? 0;
    const report = { jobId, attempt };
    await publish(bus, CHANNELS.runStepped, jobId, {
      ...report,
      sequence: 1,
      progress: { step: 'tts', done: 1, total: 9 },
    });
    await eventually(async () => ((await get(jobId)).progress?.done === 1 ? true : null));
    const result = { warnings: [{ code: 'published_locally', message: 'No Notion here.' }] };
    for (let again = 0; again < 2; again += 1)
      await publish(bus, CHANNELS.runSucceeded, jobId, { ...report, result });
    const done = await stateIs(jobId, JobState.SUCCEEDED);
    expect(done.warnings[0]?.code).toBe('published_locally');
    await publish(bus, CHANNELS.runFailed, jobId, { ...report, failure: { code: 'late', message: 'late' } });
    await outboxIsEmpty(jobId);
    expect(await factsOf(jobId)).toEqual([
      { subject: 'created', version: 1, state: JobState.QUEUED },
      { subject: 'state_changed', version: 2, state: JobState.RUNNING },
      { subject: 'progress', version: 3, state: JobState.RUNNING },
      { subject: 'state_changed', version: 4, state: JobState.SUCCEEDED },
    ]);
    expect((await get(jobId)).state).toBe(JobState.SUCCEEDED);
    expect((await claim(jobId)).case).toBe('gone');
  });

  it('ignores reports of an older attempt', async () => {
    const jobId = await create();
    await claimed(jobId, 'slow');
    await call.releaseRun({ jobId, workerId: 'slow', attempt: 1 });
    await claimed(jobId, 'fast');
    await publish(bus, CHANNELS.runSucceeded, jobId, { jobId, attempt: 1, result: {} });
    await publish(bus, CHANNELS.runSucceeded, jobId, {
      jobId,
      attempt: 2,
      result: { warnings: [{ code: 'second' }] },
    });
    expect((await stateIs(jobId, JobState.SUCCEEDED)).warnings.map(({ code }) => code)).toEqual(['second']);
  });

  it('holds a lease as long as it is renewed, and tells the worker when it was cancelled', async () => {
    const jobId = await create();
    await claimed(jobId);
    const renew = async () =>
      (await call.renewRuns({ workerId: 'w1', runs: [{ jobId, attempt: 1 }] })).renewals[0]?.state;
    expect(await renew()).toBe(RenewalState.HELD);
    await call.cancelJob({ scope: everyone, jobId, reason: 'changed my mind' });
    expect(await renew()).toBe(RenewalState.CANCELLED);
    expect(await get(jobId)).toMatchObject({ state: JobState.CANCELLED, cancelReason: 'changed my mind' });
  });

  it('queues the job again when the lease runs out, with a fresh work message', async () => {
    const jobId = await create();
    await claimed(jobId, 'lost');
    const back = await stateIs(jobId, JobState.QUEUED);
    expect(back.failure?.code).toBe('worker_lost');
    await eventually(() => workMessage(jobId));
    expect((await claimed(jobId, 'next')).job?.attempt).toBe(2);
    const renewal = await call.renewRuns({ workerId: 'lost', runs: [{ jobId, attempt: 1 }] });
    expect(renewal.renewals[0]?.state).toBe(RenewalState.LOST);
  });

  it('tries a passing error again after its delay, and keeps the last report in DEAD when all attempts failed', async () => {
    const jobId = await create();
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await documents().updateOne({ _id: jobId, state: 'queued' }, { $set: { retryAt: null } });
      await eventually(async () => ((await claim(jobId)).case === 'claimed' ? true : null), 20_000);
      const failure = { code: 'upstream_unavailable', message: 'No answer.', retryable: true };
      await publish(bus, CHANNELS.runFailed, jobId, { jobId, attempt, failure });
      const job = await stateIs(jobId, attempt < 5 ? JobState.QUEUED : JobState.FAILED);
      expect(Boolean(job.retryAt)).toBe(attempt < 5);
    }
    const dead = await eventually(() =>
      bus.jsm.streams.getMessage('DEAD', { last_by_subj: `dead.run.failed.${jobId}` }).catch(() => null),
    );
    expect(dead.header.get('Esl-Dead-Reason')).toBe('the last attempt failed');
  }, 60_000);
});

describe('when things break', () => {
  it('publishes what a crash left in the outbox, without repeating what the stream has', async () => {
    const id = await create();
    await outboxIsEmpty(id);
    const other = await create();
    await outboxIsEmpty(other);
    const entry = {
      id: `${id}:1:created`,
      version: 1,
      channel: 'jobCreated' as const,
      payload: new Uint8Array(),
    };
    const lost = {
      id: `${other}:2:updated`,
      version: 2,
      channel: 'jobUpdated' as const,
      payload:
        (await bus.jsm.direct.getMessage('JOBS', { last_by_subj: `job.created.${other}` }))?.data ??
        new Uint8Array(),
    };
    const old = new Date(Date.now() - 60_000);
    const { Binary } = await import('mongodb');
    for (const { id: entryId, ...rest } of [entry, lost]) {
      await documents().updateOne(
        { _id: entryId.split(':')[0] ?? '' },
        { $set: { outbox: [{ id: entryId, ...rest, payload: new Binary(rest.payload) }], updatedAt: old } },
      );
    }
    await outboxIsEmpty(id);
    await outboxIsEmpty(other);
    expect((await factsOf(id)).map(({ subject }) => subject)).toEqual(['created']);
    expect((await factsOf(other)).map(({ subject }) => subject)).toEqual(['created', 'updated']);
  });

  it('queues and announces every live job again when JetStream has lost all its data', async () => {
    const waiting = await create({ ownerId: 'waits' });
    const running = await create({ ownerId: 'runs' });
    await claimed(running);
    await outboxIsEmpty(running);
    const renewing = setInterval(
      () => void call.renewRuns({ workerId: 'w1', runs: [{ jobId: running, attempt: 1 }] }).catch(() => {}),
      200,
    );
    await world.restartNats({ wipe: true });
    await eventually(() => workMessage(waiting), 30_000);
    await eventually(async () => ((await factsOf(running)).length > 0 ? true : null), 30_000);
    clearInterval(renewing);
    expect((await claimed(waiting)).job?.attempt).toBe(1);
  }, 60_000);

  it('accepts jobs while nats is away, and queues them when it is back', async () => {
    let id = '';
    await world.restartNats({
      meanwhile: async () => {
        id = await create({ ownerId: 'patient' });
      },
    });
    await eventually(() => workMessage(id), 30_000);
    await eventually(async () => ((await factsOf(id)).length === 1 ? true : null), 30_000);
  }, 60_000);
});
