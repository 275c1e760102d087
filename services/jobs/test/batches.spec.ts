import { fromBinary } from '@bufbuild/protobuf';
import { publish } from '@esl/kit/publish';
import { replay } from '@esl/kit/tail';
import { eventually } from '@esl/kit/testing/world';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import { BatchState } from '@esl-pipeline/contracts/esl/jobs/v1/batch';
import { JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everyone, type JobsWorld, openJobsWorld, owner, startReplica } from './jobs-world.ts';

let world: JobsWorld;
beforeAll(async () => {
  world = await openJobsWorld();
  await startReplica(world.world);
});
afterAll(() => world?.world[Symbol.asyncDispose]());

const fails = (jobId: string, retryable = false) =>
  publish(world.bus, CHANNELS.runFailed, jobId, {
    jobId,
    attempt: 1,
    failure: { code: 'lesson_invalid', message: 'No.', retryable },
  });
const succeeds = (jobId: string) =>
  publish(world.bus, CHANNELS.runSucceeded, jobId, { jobId, attempt: 1, result: {} });

/** The events of one batch that the stream holds, in order. */
const eventsOf = async (batchId: string) => {
  const events = [];
  const { state } = await world.bus.jsm.streams.info('JOBS');
  const range = { fromSeq: state.first_seq, toSeq: state.last_seq };
  for await (const message of replay(world.bus, 'JOBS', range, new AbortController().signal)) {
    if (!message.subject.endsWith(batchId)) continue;
    const kind = message.subject.split('.')[1] ?? '';
    const { schema } = kind === 'batch_finished' ? CHANNELS.batchFinished : CHANNELS.batchUpdated;
    const { version, batch } = fromBinary(schema, message.data);
    events.push({ kind, version, batch, at: Date.parse(message.timestamp) });
  }
  return events;
};

describe('creating a batch', () => {
  it('stores all of it at once, and the same call again answers the same', async () => {
    const wanted = world.newBatch('ana', 5, 'Autumn term');
    const [first, again] = await Promise.all([
      world.batches.createBatch(wanted),
      world.batches.createBatch(wanted),
    ]);
    expect(first.jobIds).toEqual(wanted.jobs.map(({ id }) => id));
    expect(again.jobIds).toEqual(first.jobIds);
    const { batch } = await world.batches.getBatch({ scope: owner('ana'), batchId: wanted.batchId });
    expect(batch).toMatchObject({ name: 'Autumn term', total: 5, counts: { queued: 5 } });
    expect(batch?.state).toBe(BatchState.RUNNING);
    const { jobs, total } = await world.jobs.listJobs({ scope: owner('ana'), batchId: wanted.batchId });
    expect([jobs.length, total]).toEqual([5, 5n]);
    expect(jobs.every(({ batchId }) => batchId === wanted.batchId)).toBe(true);
  });

  it('stores nothing of it when one job cannot be stored', async () => {
    const wanted = world.newBatch('ana', 3);
    const taken = await world.create({ ownerId: 'bo' });
    const jobs = [...wanted.jobs, { id: taken, spec: { md: 'x', lessonKey: 'x' } }];
    await expect(world.batches.createBatch({ ...wanted, jobs })).rejects.toMatchObject({
      refusal: { code: 'invalid_job_id' },
    });
    for (const { id } of wanted.jobs)
      await expect(world.get(id)).rejects.toMatchObject({ refusal: { code: 'job_not_found' } });
    expect((await world.get(taken)).ownerId).toBe('bo');
    await expect(world.batches.getBatch({ scope: everyone, batchId: wanted.batchId })).rejects.toMatchObject({
      refusal: { code: 'batch_not_found' },
    });
  });

  it.each([
    ['invalid_batch_size', { jobs: [] }],
    ['invalid_batch_id', { batchId: 'x' }],
  ])('is refused with %s', async (code, over) => {
    const wanted = world.batches.createBatch({ ...world.newBatch('ana', 1), ...over });
    await expect(wanted).rejects.toMatchObject({ refusal: { code } });
  });

  it('is refused when one id is used twice', async () => {
    const wanted = world.newBatch('ana', 1);
    const twice = { ...wanted, jobs: [...wanted.jobs, ...wanted.jobs] };
    await expect(world.batches.createBatch(twice)).rejects.toMatchObject({
      refusal: { code: 'invalid_job_id' },
    });
  });

  it('is refused with invalid_batch_size for more than 500 jobs', async () => {
    await expect(world.batches.createBatch(world.newBatch('ana', 501))).rejects.toMatchObject({
      refusal: { code: 'invalid_batch_size' },
    });
  });

  it('shows another owner’s batch as missing', async () => {
    const wanted = world.newBatch('ana', 1);
    await world.batches.createBatch(wanted);
    const { batchId } = wanted;
    const scope = owner('bo');
    for (const call of [
      () => world.batches.getBatch({ scope, batchId }),
      () => world.batches.cancelBatch({ scope, batchId }),
      () => world.batches.retryFailed({ scope, batchId }),
    ])
      await expect(call()).rejects.toMatchObject({ refusal: { code: 'batch_not_found' } });
    expect((await world.batches.listBatches({ scope })).batches).toEqual([]);
    await expect(world.batches.createBatch({ ...world.newBatch('bo', 1), batchId })).rejects.toMatchObject({
      refusal: { code: 'invalid_batch_id' },
    });
  });

  it('lists batches page by page, latest first', async () => {
    const made: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      const wanted = world.newBatch('lister', 1, `batch ${index}`);
      await world.batches.createBatch(wanted);
      made.unshift(wanted.batchId);
    }
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await world.batches.listBatches({ scope: owner('lister'), pageSize: 2, pageToken });
      seen.push(...page.batches.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken);
    expect(seen).toEqual(made);
  });
});

describe('a batch that gets on', () => {
  it('tells so at most once a second, and its end once, with several replicas', async () => {
    const wanted = world.newBatch('events', 6);
    await world.batches.createBatch(wanted);
    const [one = '', ...others] = wanted.jobs.map(({ id }) => id);
    await world.claim(one);
    await eventually(async () => ((await eventsOf(wanted.batchId)).length > 0 ? true : null));
    await succeeds(one);
    await Promise.all(
      others.map(async (id, index) => {
        await world.claim(id);
        await (index === 0 ? fails(id) : succeeds(id));
      }),
    );
    const events = await eventually(async () => {
      const told = await eventsOf(wanted.batchId);
      return told.at(-1)?.kind === 'batch_finished' ? told : null;
    });
    expect(events.filter(({ kind }) => kind === 'batch_finished')).toHaveLength(1);
    expect(events.at(-1)?.batch).toMatchObject({
      total: 6,
      counts: { queued: 0, running: 0, succeeded: 5, failed: 1 },
      state: BatchState.FINISHED,
    });
    expect(events.map(({ version }) => version)).toEqual(events.map((_, index) => index + 2));
    const { batch } = await world.batches.getBatch({ scope: everyone, batchId: wanted.batchId });
    expect(batch?.finishedAt).toEqual(events.at(-1)?.batch?.finishedAt);
    expect(batch?.etaSeconds).toBeUndefined();
  });

  it('tells its end although the mark of its last job was lost', async () => {
    const wanted = world.newBatch('lost mark', 1);
    await world.batches.createBatch(wanted);
    const [id = ''] = wanted.jobs.map((job) => job.id);
    await world.claim(id);
    const documents = world.world.mongo.db.collection<{ _id: string }>('batches');
    await eventually(async () => ((await eventsOf(wanted.batchId)).length > 0 ? true : null));
    // As a crash between the job's move and the mark leaves it: final, with nothing but the recount to come.
    await world.world.mongo.db
      .collection<{ _id: string }>('jobs')
      .updateOne({ _id: id }, { $set: { state: 'cancelled', finishedAt: new Date(), version: 9 } });
    await documents.updateOne({ _id: wanted.batchId }, { $set: { checkAt: new Date() } });
    await eventually(async () =>
      (await eventsOf(wanted.batchId)).at(-1)?.kind === 'batch_finished' ? true : null,
    );
  });
});

describe('cancelling a batch', () => {
  it('ends every job that has not ended, and says how many', async () => {
    const wanted = world.newBatch('canceller', 40);
    await world.batches.createBatch(wanted);
    const [done = '', running = ''] = wanted.jobs.map(({ id }) => id);
    await world.claim(done);
    await world.claim(running);
    await succeeds(done);
    await world.stateIs(done, JobState.SUCCEEDED);
    const { batchId } = wanted;
    const { cancelled } = await world.batches.cancelBatch({
      scope: owner('canceller'),
      batchId,
      reason: 'wrong term',
    });
    expect(cancelled).toBe(39);
    expect((await world.batches.cancelBatch({ scope: everyone, batchId })).cancelled).toBe(0);
    const { batch } = await world.batches.getBatch({ scope: everyone, batchId });
    expect(batch).toMatchObject({ counts: { cancelled: 39, succeeded: 1 }, state: BatchState.FINISHED });
    expect((await world.get(running)).cancelReason).toBe('wrong term');
  });
});

describe('retrying what failed in a batch', () => {
  it('makes a job for each failed one, the same ones when asked again, and the next when those fail', async () => {
    const wanted = world.newBatch('retrier', 3);
    await world.batches.createBatch(wanted);
    const [good = '', bad = '', worse = ''] = wanted.jobs.map(({ id }) => id);
    for (const id of [good, bad, worse]) await world.claim(id);
    await succeeds(good);
    await fails(bad);
    await fails(worse);
    await world.stateIs(worse, JobState.FAILED);
    await world.stateIs(bad, JobState.FAILED);
    const { batchId } = wanted;
    const retry = async () =>
      (await world.batches.retryFailed({ scope: owner('retrier'), batchId })).jobIds.toSorted();
    const [first, again] = await Promise.all([retry(), retry()]);
    expect(first).toHaveLength(2);
    expect(again).toEqual(first);
    expect(await retry()).toEqual(first);
    const retries = await Promise.all(first.map(world.get));
    expect(retries.map(({ parentJobId }) => parentJobId).sort()).toEqual([bad, worse].sort());
    expect(retries.every((job) => job.batchId === undefined)).toBe(true);

    const [one = '', two = ''] = first;
    await world.claim(one);
    await succeeds(one);
    await world.claim(two);
    await fails(two);
    await world.stateIs(two, JobState.FAILED);
    await world.stateIs(one, JobState.SUCCEEDED);
    const next = await retry();
    expect(next).toHaveLength(1);
    expect((await world.get(next[0] ?? '')).parentJobId).toBe(two);
  });
});
