import { fromBinary } from '@bufbuild/protobuf';
import { connectGrpc } from '@esl/kit/grpc-client';
import { type Channel, publishBytes, SCHEMA_HEADER } from '@esl/kit/publish';
import { shutDown } from '@esl/kit/shut-down';
import { eventually } from '@esl/kit/testing/world';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import { ArtifactKind, JobState, StepState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { LessonsService } from '@esl-pipeline/contracts/esl/lessons/v1/lessons_service';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JobDocument } from '../../jobs/src/outbound/job-documents.ts';
import { longDialogue, sample } from './lessons.ts';
import { keysUnder, openWorkerWorld, signal, type WorkerWorld } from './worker-world.ts';

let world: WorkerWorld;
let address: string;
beforeAll(async () => {
  world = await openWorkerWorld();
  ({ address } = await world.start());
});
afterAll(() => world?.[Symbol.asyncDispose]());
afterEach(() => {
  world.catalog.isBroken = false;
});

const everyone = { reach: { case: 'everyone', value: true } } as const;
const documents = () => world.mongo.db.collection<JobDocument>('jobs');
type Job = Awaited<ReturnType<WorkerWorld['job']>>;
const keyOf = (job: Job, kind: ArtifactKind) => job.artifacts.find((each) => each.kind === kind)?.key ?? '';
const textOf = async (key: string) => Buffer.from((await world.blobs.get(key, signal)) ?? []).toString();
const stepOf = (job: Job, name: string) => job.steps.find((step) => step.name === name);
const codes = (job: Job) => job.warnings.map(({ code }) => code).sort();

describe('a submitted lesson', () => {
  it('succeeds, and its work message is gone', async () => {
    const id = await world.submit(await sample('the-lost-parcel'), { preset: 'calm-blue' });
    const job = await world.ended(id);
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, attempt: 1 });
    expect(codes(job)).toEqual(['published_locally']);
    expect(await textOf(keyOf(job, ArtifactKind.PAGE))).toContain('My parcel has not arrived');
    expect(await world.manifest(id)).toMatchObject({ schemaVersion: 1, preset: 'calm-blue' });
    await world.workIsDone(id);
  });

  it('is narrated, and its progress is told meanwhile', async () => {
    const id = await world.submit(await longDialogue('progress', 8), { withTts: true, upload: 's3' });
    await world.inStep(id, 'tts');
    const job = await world.ended(id);
    expect(job.steps.map(({ state }) => state)).toEqual(Array(6).fill(StepState.SUCCEEDED));
    expect(codes(job)).toEqual(['narrated_locally', 'published_locally', 'upload_store_local']);
    expect(await textOf(keyOf(job, ArtifactKind.PAGE))).toContain('data:audio/mpeg;base64,');
  });

  it('fails with its findings when it is broken', async () => {
    const job = await world.ended(await world.submit(await sample('broken-lesson')));
    expect(job).toMatchObject({
      state: JobState.FAILED,
      attempt: 1,
      failure: { code: 'lesson_invalid', step: 'validate', retryable: false },
    });
    expect(job.findings.length).toBeGreaterThan(2);
    expect(job.findings.every(({ line }) => line > 0)).toBe(true);
  });

  it('fails when its text or preset does not exist', async () => {
    const lost = await world.ended(await world.submit(null));
    expect(lost.failure).toMatchObject({ code: 'lesson_not_found', retryable: false });
    const odd = await world.submit(await sample('street-party'), { preset: 'no-such-preset' });
    expect((await world.ended(odd)).failure).toMatchObject({ code: 'unknown_preset', retryable: false });
  });

  it('asks the catalog once for equal wishes', async () => {
    const lesson = await sample('morning-at-the-harbour');
    await world.ended(await world.submit(lesson, { preset: 'asked-once' }));
    const { calls } = world.catalog;
    await world.ended(await world.submit(lesson, { preset: 'asked-once' }));
    expect(world.catalog.calls).toBe(calls);
    world.bus.nc.publish(CHANNELS.configChanged.subject(''));
    await world.bus.nc.flush();
    await eventually(async () => {
      await world.ended(await world.submit(lesson, { preset: 'asked-once' }));
      return world.catalog.calls > calls ? true : null;
    });
  });
});

describe('an error that may pass', () => {
  it('is tried again later, and ends well', async () => {
    world.catalog.isBroken = true;
    const id = await world.submit(await sample('street-party'), { preset: 'passing' });
    const waiting = await eventually(async () => {
      const job = await world.job(id);
      return job.state === JobState.QUEUED && job.failure ? job : null;
    });
    expect(waiting.failure).toMatchObject({ code: 'service_unavailable', retryable: true, step: 'validate' });
    world.catalog.isBroken = false;
    expect(await world.ended(id)).toMatchObject({ state: JobState.SUCCEEDED, attempt: 2 });
  });

  it('fails the job when all attempts are used up', async () => {
    world.catalog.isBroken = true;
    const id = await world.submit(await sample('street-party'), { preset: 'lasting' });
    await eventually(async () => ((await world.job(id)).failure ? true : null));
    await documents().updateOne({ _id: id }, { $set: { failedAttempts: 4 }, $inc: { version: 1 } });
    const job = await world.ended(id);
    expect(job).toMatchObject({ state: JobState.FAILED, failure: { code: 'service_unavailable' } });
  });
});

describe('cancelling', () => {
  it('stops the narration, and the job never succeeds later', async () => {
    const id = await world.submit(await longDialogue('cancelled'), { withTts: true });
    await world.inStep(id, 'tts');
    await world.call.cancelJob({ scope: everyone, jobId: id, reason: 'typo' });
    const job = await eventually(async () => {
      const now = await world.job(id);
      return stepOf(now, 'tts')?.state === StepState.CANCELLED &&
        stepOf(now, 'import')?.state === StepState.SUCCEEDED &&
        now.artifacts.length > 0
        ? now
        : null;
    });
    expect(job).toMatchObject({ state: JobState.CANCELLED, cancelReason: 'typo' });
    await world.workIsDone(id);
    expect(keyOf(job, ArtifactKind.AUDIO)).toBe('');
  });

  it('forgets the message of a job that was cancelled before it ran', async () => {
    const id = await world.submit(await longDialogue('never run'), { withTts: true });
    await world.call.cancelJob({ scope: everyone, jobId: id });
    await world.workIsDone(id);
    expect((await world.job(id)).state).toBe(JobState.CANCELLED);
  });
});

describe('a message that makes no sense', () => {
  it('ends in DEAD, and the work goes on', async () => {
    const raw = (subject: string, { schema }: Channel, data: Uint8Array) =>
      publishBytes(world.bus, { schema, subject: () => subject }, '', data);
    await raw('work.run.normal.garbage', CHANNELS.runNormal, new Uint8Array([0xff, 0xff]));
    await raw('work.run.low.unknown', CHANNELS.jobCreated, new Uint8Array());
    await raw('work.run.high.empty', CHANNELS.runHigh, new Uint8Array());
    const reasonOf = async (subject: string) => {
      const dead = await eventually(() =>
        world.bus.jsm.streams.getMessage('DEAD', { last_by_subj: `dead.${subject}` }).catch(() => null),
      );
      return dead.header.get('Esl-Dead-Reason');
    };
    expect(await reasonOf('work.run.normal.garbage')).toMatch(/^undecodable/);
    expect(await reasonOf('work.run.low.unknown')).toMatch(/^unknown message/);
    expect(await reasonOf('work.run.high.empty')).toBe('invalid job id');
    const id = await world.submit(await sample('street-party'));
    expect((await world.ended(id)).state).toBe(JobState.SUCCEEDED);
  });
});

describe('after the end', () => {
  it('a rerun narrates again on the same page', async () => {
    const lesson = await sample('the-lost-parcel');
    const parentId = await world.submit(lesson, { withTts: true });
    const parent = await world.ended(parentId);
    const before = await world.manifest(parentId);
    const id = await world.submit(lesson, { withTts: true, voiceAccent: 'scottish' }, parentId);
    const job = await world.ended(id);
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(keyOf(job, ArtifactKind.PAGE)).toBe(keyOf(parent, ArtifactKind.PAGE));
    expect(keyOf(job, ArtifactKind.AUDIO)).not.toBe(keyOf(parent, ArtifactKind.AUDIO));
    expect(await world.manifest(parentId)).toEqual(before);
  });

  it('page and manifest follow an edit of the metadata, and the page still plays', async () => {
    const id = await world.submit(await sample('the-lost-parcel'), { withTts: true });
    const page = keyOf(await world.ended(id), ArtifactKind.PAGE);
    const before = await textOf(page);
    await world.call.editMetadata({ scope: everyone, jobId: id, preset: 'calm-blue' });
    await eventually(async () => ((await documents().findOne({ _id: id }))?.refresh ? null : true));
    expect((await world.manifest(id)).preset).toBe('calm-blue');
    const after = await textOf(page);
    expect(after).not.toBe(before);
    expect(after).toContain('data:audio/mpeg;base64,');
    const job = await world.job(id);
    expect(keyOf(job, ArtifactKind.PAGE)).toBe(page);
    expect(codes(job)).toEqual(['narrated_locally', 'published_locally']);
  });

  it('an edit of the first job keeps on the page what its rerun has put there', async () => {
    const lesson = await sample('the-lost-parcel');
    const parentId = await world.submit(lesson, { withTts: true });
    const parent = await world.ended(parentId);
    const rerun = await world.ended(
      await world.submit(lesson, { withTts: true, voiceAccent: 'scottish' }, parentId),
    );
    const beginning = async (job: Job) => {
      const audio = await world.blobs.get(keyOf(job, ArtifactKind.AUDIO), signal);
      return Buffer.from(audio ?? [])
        .toString('base64')
        .slice(0, 4_000);
    };
    await world.call.editMetadata({ scope: everyone, jobId: parentId, preset: 'calm-blue' });
    await eventually(async () => ((await documents().findOne({ _id: parentId }))?.refresh ? null : true));
    const page = await textOf(keyOf(parent, ArtifactKind.PAGE));
    expect(page).toContain(await beginning(rerun));
    expect(page).not.toContain(await beginning(parent));
  });

  it('an edit that cannot be followed is told as a warning', async () => {
    const id = await world.submit(await sample('the-lost-parcel'));
    await world.ended(id);
    await world.call.editMetadata({ scope: everyone, jobId: id, preset: 'no-such-preset' });
    await eventually(async () => (codes(await world.job(id)).includes('unknown_preset') ? true : null));
  });
});

describe('asking about a lesson', () => {
  const validate = async (text: string, spec = {}) => {
    const client = connectGrpc(LessonsService, { address, deadlineMs: 5_000 });
    try {
      return await client.call.validate({ text, spec });
    } finally {
      client.close();
    }
  };

  it('answers what a run would do', async () => {
    const answer = await validate(await sample('the-lost-parcel'));
    expect(answer).toMatchObject({
      ok: true,
      meta: { student: 'Mira', level: 'B1' },
      plan: { mode: 'dialogue', segments: 4, estimatedCost: 0 },
    });
    expect(answer.plan?.cast.map(({ speaker }) => speaker)).toEqual(['Ines', 'Paul']);
    expect(answer.plan?.characters).toBeGreaterThan(100);
    expect(answer.plan?.blocks).toBe(37);
  });

  it('answers findings without a plan when there is an error, and refuses an unknown preset', async () => {
    const broken = await validate(await sample('broken-lesson'));
    expect(broken.ok).toBe(false);
    expect(broken.plan).toBeUndefined();
    expect(broken.findings.length).toBeGreaterThan(2);
    await expect(
      validate(await sample('the-lost-parcel'), { preset: 'no-such-preset' }),
    ).rejects.toMatchObject({ refusal: { code: 'unknown_preset' } });
  });
});

describe('with several workers', () => {
  let apart: WorkerWorld;
  beforeAll(async () => {
    apart = await openWorkerWorld({ leaseMs: 4_000 });
  });
  afterAll(() => apart?.[Symbol.asyncDispose]());

  const attemptOf = (id: string, attempt: number) =>
    eventually(async () => ((await apart.job(id)).attempt === attempt ? true : null));

  it('one that stops hands its run to another at once, which does not repeat what is done', async () => {
    const first = await apart.startOne({}, { graceMs: 0 });
    const id = await apart.submit(await longDialogue('handed over'), { withTts: true });
    await apart.inStep(id, 'tts');
    await eventually(async () => ((await apart.job(id)).progress?.done ?? 0) > 3 || null);
    const second = await apart.startOne();
    await shutDown(first.stop, apart.log);
    const job = await apart.ended(id);
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, attempt: 2 });
    const stored = await apart.mongo.db.collection<JobDocument>('jobs').findOne({ _id: id });
    expect(stored?.failedAttempts).toBe(0);
    expect(stepOf(job, 'tts')?.detail).toMatch(/^\d+ spoken, [1-9]\d* from the cache/);
    expect(await keysUnder(apart.blobFolder, 'pages')).toHaveLength(1);
    expect(await keysUnder(apart.blobFolder, 'audio')).toHaveLength(1);
    await shutDown(second.stop, apart.log);
  });

  it('one that cannot renew its lease stops by itself, and another finishes', async () => {
    const held = Promise.withResolvers<void>();
    apart.catalog.hold = held.promise;
    const deaf = await apart.startOne({ LEASE_RENEW_MS: '200000', WORKER_CONCURRENCY: '1' });
    const id = await apart.submit(await longDialogue('lost', 4), { withTts: true, preset: 'calm-blue' });
    await attemptOf(id, 1);
    const able = await apart.startOne();
    await attemptOf(id, 2);
    const job = await apart.ended(id);
    expect(job.state).toBe(JobState.SUCCEEDED);
    held.resolve();
    expect(await keysUnder(apart.blobFolder, 'pages')).toHaveLength(2);
    await shutDown(deaf.stop, apart.log);
    await shutDown(able.stop, apart.log);
  });

  it('a worker takes no more than it has slots for', async () => {
    const small = await apart.startOne({ WORKER_CONCURRENCY: '2' });
    const lesson = await longDialogue('slots', 6);
    const ids = await Promise.all(Array.from({ length: 5 }, () => apart.submit(lesson, { withTts: true })));
    let most = 0;
    await eventually(async () => {
      const { num_ack_pending: held } = await apart.bus.jsm.consumers.info('WORK', 'workers-normal');
      most = Math.max(most, held);
      const jobs = await Promise.all(ids.map(apart.job));
      return jobs.every(({ state }) => state === JobState.SUCCEEDED) ? true : null;
    }, 40_000);
    expect(most).toBe(2);
    await shutDown(small.stop, apart.log);
  });

  it('goes on after nats-server restarts, and after it lost all its data', async () => {
    const worker = await apart.startOne();
    await apart.restartNats({ kill: true });
    const lesson = await sample('street-party');
    const afterRestart = await apart.submit(lesson);
    expect((await apart.ended(afterRestart)).state).toBe(JobState.SUCCEEDED);
    await apart.restartNats({ wipe: true });
    const afterWipe = await apart.submit(lesson);
    expect((await apart.ended(afterWipe)).state).toBe(JobState.SUCCEEDED);
    await shutDown(worker.stop, apart.log);
  });
});

it('reports carry their message id and schema', async () => {
  const seen: { subject: string; id: string; eventId: string }[] = [];
  const subscription = world.bus.nc.subscribe('run.*.*', {
    callback: (_, { subject, headers: described, data }) => {
      const channel = Object.values(CHANNELS).find(
        ({ schema }) => schema.typeName === described?.get(SCHEMA_HEADER),
      );
      if (!channel) return;
      const { eventId } = fromBinary(channel.schema, data) as unknown as { eventId: string };
      seen.push({ subject, id: described?.get('Nats-Msg-Id') ?? '', eventId });
    },
  });
  await world.bus.nc.flush();
  const id = await world.submit(await sample('street-party'));
  await world.ended(id);
  subscription.unsubscribe();
  expect(seen).toEqual([
    { subject: `run.succeeded.${id}`, id: `${id}:1:succeeded`, eventId: `${id}:1:succeeded` },
  ]);
});
