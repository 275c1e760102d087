import { publish } from '@esl/kit/publish';
import { eventually } from '@esl/kit/testing/world';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import { ArtifactKind, JobPriority, JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeletionDocument } from '../src/outbound/mongo-deletions.ts';
import { everyone, type JobsWorld, openJobsWorld, owner, startReplica } from './jobs-world.ts';

let world: JobsWorld;
beforeAll(async () => {
  world = await openJobsWorld();
});
afterAll(() => world?.world[Symbol.asyncDispose]());

const deletionOf = (id: string) =>
  world.world.mongo.db
    .collection<DeletionDocument>('deletions')
    .findOne({ _id: id as DeletionDocument['_id'] });

const succeeds = async (jobId: string, keys: readonly string[]) => {
  await world.claim(jobId);
  const kinds = [ArtifactKind.PAGE, ArtifactKind.AUDIO, ArtifactKind.MANIFEST];
  const artifacts = keys.map((key, index) => ({ kind: kinds[index] ?? ArtifactKind.PAGE, key }));
  await publish(world.bus, CHANNELS.runSucceeded, jobId, { jobId, attempt: 1, result: { artifacts } });
  await world.stateIs(jobId, JobState.SUCCEEDED);
};

/** What a worker is asked to purge. */
const purgeOf = (jobId: string) =>
  eventually(async () => {
    const { fromBinary } = await import('@bufbuild/protobuf');
    const message = await world.bus.jsm.streams
      .getMessage('WORK', { last_by_subj: `work.purge.${jobId}` })
      .catch(() => null);
    return message && fromBinary(CHANNELS.purge.schema, message.data);
  });
const isGone = (jobId: string) =>
  expect(world.get(jobId)).rejects.toMatchObject({ refusal: { code: 'job_not_found' } });

describe('deleting a job', () => {
  it('is recorded, and asks a worker to purge what only that job had made, until it has', async () => {
    const parent = await world.create({ ownerId: 'deleter' });
    await succeeds(parent, ['pages/a.html', 'audio/a.mp3', `manifests/${parent}.json`]);
    const child = await world.create({ ownerId: 'deleter', parentJobId: parent });
    await succeeds(child, ['pages/a.html', 'audio/b.mp3', `manifests/${child}.json`]);
    await world.admin.deleteJob({ scope: everyone, jobId: parent, actor: 'the admin' });
    await isGone(parent);
    expect((await purgeOf(parent)).keys.toSorted()).toEqual(['audio/a.mp3', `manifests/${parent}.json`]);
    expect(await deletionOf(parent)).toMatchObject({
      ownerId: 'deleter',
      actor: 'the admin',
      reason: 'request',
      purgedAt: null,
    });
    await publish(world.bus, CHANNELS.runPurged, parent, { jobId: parent });
    await eventually(async () => ((await deletionOf(parent))?.purgedAt ? true : null));
    await world.admin.deleteJob({ scope: owner('deleter'), jobId: child, actor: 'deleter' });
    expect((await purgeOf(child)).keys).toContain('pages/a.html');
  });

  it('leaves what a child that has not ended may start from', async () => {
    const parent = await world.create({ ownerId: 'family' });
    await succeeds(parent, ['pages/f.html']);
    const child = await world.create({ ownerId: 'family', parentJobId: parent });
    await world.admin.deleteJob({ scope: everyone, jobId: parent, actor: 'x' });
    await eventually(async () => {
      const deletion = await deletionOf(parent);
      return deletion?.checkAt && deletion.deletedAt && deletion.checkAt > deletion.deletedAt ? true : null;
    });
    const asked = world.bus.jsm.streams.getMessage('WORK', { last_by_subj: `work.purge.${parent}` });
    expect(await asked.catch(() => null)).toBeNull();
    await world.jobs.cancelJob({ scope: everyone, jobId: child });
    await world.world.mongo.db
      .collection<DeletionDocument>('deletions')
      .updateOne({ _id: parent as DeletionDocument['_id'] }, { $set: { checkAt: new Date() } });
    expect((await purgeOf(parent)).keys).toEqual(['pages/f.html']);
  });

  it('is refused while the job runs, and for another owner’s job', async () => {
    const jobId = await world.create({ ownerId: 'runner' });
    await world.claim(jobId);
    await expect(world.admin.deleteJob({ scope: everyone, jobId, actor: 'x' })).rejects.toMatchObject({
      refusal: { code: 'job_cannot_move' },
    });
    await expect(world.admin.deleteJob({ scope: owner('bo'), jobId, actor: 'x' })).rejects.toMatchObject({
      refusal: { code: 'job_not_found' },
    });
    expect(await deletionOf(jobId)).toBeNull();
  });

  it('makes room in its queue, and its batch counts what is left', async () => {
    const batch = world.newBatch('queue', 3);
    await world.batches.createBatch(batch);
    const [first = '', second = ''] = batch.jobs.map(({ id }) => id);
    const message = (id: string) =>
      world.bus.jsm.streams.getMessage('WORK', { last_by_subj: `work.run.normal.${id}` }).catch(() => null);
    await eventually(() => message(first));
    await world.admin.deleteJob({ scope: everyone, jobId: first, actor: 'x' });
    await eventually(() => message(second));
    expect(await world.claim(first)).toMatchObject({ case: 'gone' });
    const read = await world.batches.getBatch({ scope: everyone, batchId: batch.batchId });
    expect(read.batch).toMatchObject({ total: 2, counts: { queued: 2 } });
  });

  it('is finished after a crash that came right after the record', async () => {
    const jobId = await world.create({ ownerId: 'crash' });
    await world.jobs.cancelJob({ scope: everyone, jobId });
    const deletions = world.world.mongo.db.collection<DeletionDocument>('deletions');
    await deletions.insertOne({
      _id: jobId as DeletionDocument['_id'],
      ownerId: 'crash' as DeletionDocument['ownerId'],
      batchId: null,
      actor: 'x',
      reason: 'request',
      requestedAt: new Date(),
      deletedAt: null,
      purgedAt: null,
      keys: [],
      checkAt: new Date(),
    });
    await purgeOf(jobId);
    await isGone(jobId);
  });
});

describe('retention', () => {
  it('deletes what ended long ago, and nothing else', async () => {
    const [old, young, live] = [
      await world.create({ ownerId: 'keeper' }),
      await world.create({ ownerId: 'keeper' }),
      await world.create({ ownerId: 'keeper' }),
    ];
    for (const jobId of [old, young]) await world.jobs.cancelJob({ scope: everyone, jobId });
    const finishedAt = new Date(Date.now() - 31 * 86_400_000);
    await world.world.mongo.db
      .collection<{ _id: string }>('jobs')
      .updateOne({ _id: old }, { $set: { finishedAt } });
    await startReplica(world.world, { JOB_RETENTION_DAYS: '30' });
    await eventually(async () => ((await deletionOf(old))?.deletedAt ? true : null));
    await isGone(old);
    expect(await deletionOf(old)).toMatchObject({ reason: 'retention', actor: 'retention' });
    expect((await world.get(young)).state).toBe(JobState.CANCELLED);
    expect((await world.get(live)).state).toBe(JobState.QUEUED);
  });
});

describe('dead letters', () => {
  it('can be listed page by page, read, sent again and dropped', async () => {
    const list = async (pageToken = '', pageSize = 2) =>
      await world.admin.listDeadLetters({ pageSize, pageToken });
    const jobIds: string[] = [];
    for (let index = 0; index < 3; index += 1) {
      const jobId = `not a job ${index}`.replaceAll(' ', '_');
      jobIds.push(jobId);
      await publish(world.bus, CHANNELS.runStepped, jobId, { jobId, attempt: 1, sequence: index });
      await eventually(async () => ((await list()).total === BigInt(index + 1) ? true : null));
    }
    const first = await list();
    const second = await list(first.nextPageToken);
    expect(second.nextPageToken).toBe('');
    const letters = [...first.deadLetters, ...second.deadLetters];
    expect(letters.map(({ subject }) => subject)).toEqual(jobIds.toReversed().map((id) => `run.step.${id}`));
    const [latest] = letters;
    expect(latest).toMatchObject({
      reason: 'invalid job id',
      consumer: 'jobs',
      schema: 'esl.events.v1.RunStepped',
    });
    const id = latest?.id ?? '';
    const read = await world.admin.getDeadLetter({ id });
    expect(JSON.parse(read.payloadJson)).toMatchObject({ jobId: jobIds[2], sequence: 2 });

    expect((await world.admin.redriveDeadLetter({ id })).subject).toBe(`run.step.${jobIds[2]}`);
    await expect(world.admin.getDeadLetter({ id })).rejects.toMatchObject({
      refusal: { code: 'dead_letter_not_found' },
    });
    // It cannot be handled this time either, and comes back as another letter.
    await eventually(async () => ((await list()).total === 3n ? true : null));
    await world.admin.dropDeadLetter({ id: letters[1]?.id ?? '' });
    expect((await list()).total).toBe(2n);
    for (const unknown of ['', 'x', 'a-1', id])
      await expect(world.admin.dropDeadLetter({ id: unknown })).rejects.toMatchObject({
        refusal: { code: 'dead_letter_not_found' },
      });
    await expect(list('nonsense!')).rejects.toMatchObject({ refusal: { code: 'invalid_page_token' } });
  });
});

it('stats tell states, queues, throughput, failures and lag', async () => {
  const { runAt } = { runAt: { seconds: BigInt(Math.floor(Date.now() / 1_000) + 9_999), nanos: 0 } };
  await world.create({ ownerId: 'stats', priority: JobPriority.LOW });
  await world.create({ ownerId: 'stats', priority: JobPriority.LOW, runAt });
  const failed = await world.create({ ownerId: 'stats' });
  await world.claim(failed);
  const failure = { code: 'lesson_invalid', message: 'No.' };
  await publish(world.bus, CHANNELS.runFailed, failed, { jobId: failed, attempt: 1, failure });
  await world.stateIs(failed, JobState.FAILED);
  const stats = await world.admin.getSystemStats({});
  const countOf = (state: JobState) => stats.states.find((each) => each.state === state)?.count ?? 0n;
  expect(countOf(JobState.FAILED)).toBeGreaterThan(0n);
  const low = stats.queues.find(({ priority }) => priority === JobPriority.LOW);
  expect(low).toMatchObject({ depth: 1n, scheduled: 1n });
  expect(low?.oldestAt).toBeDefined();
  expect(stats.throughput.map(({ windowSeconds }) => windowSeconds)).toEqual([3_600, 86_400]);
  expect(stats.throughput[0]?.failed).toBeGreaterThan(0n);
  expect(stats.failures).toContainEqual(expect.objectContaining({ code: 'lesson_invalid' }));
  expect(stats.consumers.map(({ consumer }) => consumer)).toContain('workers-normal');
});
