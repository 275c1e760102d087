import { timestampDate } from '@bufbuild/protobuf/wkt';
import { publish } from '@esl/kit/publish';
import { eventually } from '@esl/kit/testing/world';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import { JobPriority, JobState, StepState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { AttemptEntry_Outcome as Outcome } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newJobId } from './builders.ts';
import { everyone, type JobsWorld, openJobsWorld, owner } from './jobs-world.ts';

let world: JobsWorld;
beforeAll(async () => {
  world = await openJobsWorld();
});
afterAll(() => world?.world[Symbol.asyncDispose]());

/** The name of an enum's value. */
const nameIn = (values: Readonly<Record<string, number>>, value: number): string =>
  Object.keys(values).find((name) => values[name] === value) ?? '?';

const timelineOf = async (jobId: string) =>
  (await world.jobs.getTimeline({ scope: everyone, jobId })).entries;
const told = async (jobId: string) =>
  (await timelineOf(jobId)).map(({ entry }) => {
    switch (entry.case) {
      case 'state':
        return nameIn(JobState, entry.value.state);
      case 'step':
        return `${entry.value.name} ${nameIn(StepState, entry.value.state)} in ${entry.value.attempt}`;
      case 'attempt':
        return `attempt ${entry.value.attempt} ${nameIn(Outcome, entry.value.outcome)}`;
      case 'action':
        return `${entry.value.type} by ${entry.value.actor}: ${entry.value.detail ?? ''}`;
      default:
        return 'nothing';
    }
  });

describe('a timeline', () => {
  it('tells every state, attempt, step and action, in order', async () => {
    const jobId = await world.create({ ownerId: 'ana' });
    await world.jobs.rescheduleJob({ scope: owner('ana'), jobId, priority: JobPriority.HIGH });
    await world.claim(jobId);
    const steps = [
      { name: 'validate', state: StepState.SUCCEEDED, detail: 'no findings' },
      { name: 'import', state: StepState.FAILED },
    ];
    const failure = { code: 'upstream_unavailable', message: 'No.', step: 'import', retryable: true };
    await publish(world.bus, CHANNELS.runFailed, jobId, { jobId, attempt: 1, failure, result: { steps } });
    const queued = await world.stateIs(jobId, JobState.QUEUED);
    expect(queued).toMatchObject({ attempt: 1, failure });
    expect(queued.retryAt).toBeDefined();
    await eventually(async () => ((await world.claim(jobId)).case === 'claimed' ? true : null));
    await world.jobs.releaseRun({ jobId, workerId: 'w1', attempt: 2 });
    await world.claim(jobId);
    await world.jobs.cancelJob({ scope: everyone, jobId, reason: 'enough', actor: 'the admin' });
    expect(await told(jobId)).toEqual([
      'submit by ana: ',
      'QUEUED',
      'reschedule by ana: priority: high',
      'attempt 1 STARTED',
      'RUNNING',
      'validate SUCCEEDED in 1',
      'import FAILED in 1',
      'attempt 1 FAILED',
      'QUEUED',
      'attempt 2 STARTED',
      'RUNNING',
      'attempt 2 RELEASED',
      'QUEUED',
      'attempt 3 STARTED',
      'RUNNING',
      'cancel by the admin: enough',
      'attempt 3 CANCELLED',
      'CANCELLED',
    ]);
    const times = (await timelineOf(jobId)).map(({ at }) => (at ? timestampDate(at).getTime() : 0));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    await expect(world.jobs.getTimeline({ scope: owner('bo'), jobId })).rejects.toMatchObject({
      refusal: { code: 'job_not_found' },
    });
  });

  it('keeps the latest entries when there are very many', async () => {
    const jobId = await world.create({ ownerId: 'editor' });
    const filler = { kind: 'step', name: 'tts', state: 'running', attempt: 1, detail: null, at: new Date(0) };
    await world.world.mongo.db
      .collection<{ _id: string }>('jobs')
      .updateOne({ _id: jobId }, { $set: { timeline: Array(299).fill(filler) } });
    for (const preset of ['p1', 'p2', 'p3'])
      await world.jobs.editMetadata({ scope: owner('editor'), jobId, preset });
    const entries = await told(jobId);
    expect(entries).toHaveLength(300);
    expect(entries.at(-1)).toBe('edit_metadata by editor: preset: p3');
  });
});

describe('retrying a job', () => {
  it('makes a new one of a failed or cancelled one, and the same one when asked again', async () => {
    const jobId = await world.create({ ownerId: 'ana', priority: JobPriority.LOW });
    const newId = newJobId();
    const retry = (over: object = {}) =>
      world.jobs.retryJob({ scope: owner('ana'), jobId, newJobId: newId, ...over });
    await expect(retry()).rejects.toMatchObject({ refusal: { code: 'job_cannot_move' } });
    await world.jobs.cancelJob({ scope: owner('ana'), jobId });
    const [first, again] = await Promise.all([retry(), retry()]);
    expect(first.job).toMatchObject({ id: newId, parentJobId: jobId, priority: JobPriority.LOW });
    expect(first.job?.spec).toEqual((await world.get(jobId)).spec);
    expect(again.job?.id).toBe(newId);
    expect((await told(jobId)).filter((entry) => entry.startsWith('retry'))).toEqual([
      `retry by ana: as job ${newId}`,
    ]);
    expect((await told(newId))[0]).toBe(`submit by ana: of job ${jobId}`);
    await expect(retry({ scope: owner('bo') })).rejects.toMatchObject({ refusal: { code: 'job_not_found' } });
    const other = await world.create({ ownerId: 'ana' });
    await expect(retry({ newJobId: other })).rejects.toMatchObject({ refusal: { code: 'invalid_job_id' } });
  });
});
