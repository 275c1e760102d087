import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { connectGrpc, type GrpcClient } from '@esl/kit/grpc-client';
import { eventually } from '@esl/kit/testing/world';
import { BatchesService } from '@esl-pipeline/contracts/esl/jobs/v1/batches_service';
import { JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { JobAdminService } from '@esl-pipeline/contracts/esl/jobs/v1/job_admin_service';
import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newJobId } from '../services/jobs/test/builders.ts';
import { sample } from '../services/worker/test/lessons.ts';
import { type System, startSystem } from './system.ts';

const everyone = { reach: { case: 'everyone', value: true } } as const;

let system: System;
let jobs: GrpcClient<typeof JobsService>['call'];
let batches: GrpcClient<typeof BatchesService>['call'];
let admin: GrpcClient<typeof JobAdminService>['call'];
let lesson: { md: string; lessonKey: string };
beforeAll(async () => {
  system = await startSystem({ replicas: { jobs: 2, worker: 3 } });
  await system.putLesson('short.md', await sample('street-party'));
  const address = ['jobs', 'jobs-2'].map((id) => system.stack.info().services[id]?.grpc).join(',');
  const settings = { address, deadlineMs: 10_000 };
  ({ call: jobs } = connectGrpc(JobsService, settings));
  ({ call: batches } = connectGrpc(BatchesService, settings));
  ({ call: admin } = connectGrpc(JobAdminService, settings));
  // The lesson's text is stored by the gateway, once for all that name it.
  const { job } = await jobs.getJob({ scope: everyone, jobId: await system.submit({ md: 'short.md' }) });
  lesson = { md: 'short.md', lessonKey: job?.spec?.lessonKey ?? '' };
}, 120_000);
afterAll(() => system?.stop());

const kill = (id: string) => {
  const { pid } = system.stack.info().services[id] ?? {};
  if (!pid) throw new Error(`${id} does not run`);
  process.kill(pid, 'SIGKILL');
};
/**
 * What a client does whose call was cut off: the ids make it safe. The transaction of a killed service is open for
 * another ten seconds, and a call that waits for it may take its whole deadline to find out.
 */
const untilAnswered = <T>(call: () => Promise<T>): Promise<T> =>
  eventually(() => call().catch(() => null), 30_000);

const isDone = (jobId: string) =>
  eventually(async () => {
    const { job } = await jobs.getJob({ scope: everyone, jobId }).catch(() => ({ job: null }));
    return job?.state === JobState.SUCCEEDED ? job : null;
  }, 90_000);

describe('with two jobs services and three workers that are killed one after the other', () => {
  it('a job each second for a minute: each runs once, and none is missed', async () => {
    const begin = Date.now() + 1_000;
    const planned = Array.from({ length: 60 }, (_, index) => ({
      id: newJobId(),
      ownerId: `owner-${index % 5}`,
      spec: lesson,
      runAt: timestampFromDate(new Date(begin + index * 1_000)),
    }));
    await untilAnswered(() => jobs.createJobs({ jobs: planned }));
    const passed = (count: number) => isDone(planned[count]?.id ?? '');
    for (const [count, id] of [
      [9, 'jobs'],
      [19, 'worker'],
      [29, 'jobs-2'],
      [39, 'worker-2'],
      [49, 'worker-3'],
    ] as const) {
      await passed(count);
      kill(id);
    }
    const ended = await Promise.all(planned.map(({ id }) => isDone(id)));
    for (const job of ended) {
      expect(job.startedAt && job.runAt && job.startedAt.seconds >= job.runAt.seconds).toBe(true);
      // Only a job that a killed worker had in hand is begun again.
      expect(job.attempt).toBeLessThanOrEqual(2);
    }
    expect(ended.filter(({ attempt }) => attempt > 1).length).toBeLessThanOrEqual(10);
  }, 240_000);

  it('a batch of 500 is stored whole or not at all, whenever the service is killed', async () => {
    const runAt = timestampFromDate(new Date(Date.now() + 86_400_000));
    for (const afterMs of [5, 30, 80]) {
      const ownerId = `batch-${afterMs}`;
      const batch = {
        batchId: newJobId(),
        ownerId,
        jobs: Array.from({ length: 500 }, () => ({ id: newJobId(), spec: lesson, runAt })),
      };
      const cutOff = batches.createBatch(batch).catch(() => null);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      for (const id of ['jobs', 'jobs-2']) kill(id);
      await cutOff;
      const scope = { reach: { case: 'ownerId', value: ownerId } } as const;
      const { total } = await untilAnswered(() => jobs.listJobs({ scope, pageSize: 1 }));
      expect([0n, 500n]).toContain(total);
      const again = await untilAnswered(() => batches.createBatch(batch));
      expect(again.jobIds).toEqual(batch.jobs.map(({ id }) => id));
      expect((await jobs.listJobs({ scope, pageSize: 1 })).total).toBe(500n);
    }
  }, 120_000);
});

it('a deleted job leaves nothing of its own behind', async () => {
  const jobId = await system.submit({ md: 'short.md' });
  const job = await isDone(jobId);
  const keys = job.artifacts.flatMap(({ key }) => key ?? []);
  expect(keys.length).toBeGreaterThan(1);
  const pathOf = (key: string) => join(system.home, 'blobs', key);
  for (const key of keys) await access(pathOf(key));
  await untilAnswered(() => admin.deleteJob({ scope: everyone, jobId, actor: 'spec' }));
  for (const key of keys)
    await eventually(() =>
      access(pathOf(key)).then(
        () => null,
        () => true,
      ),
    );
  await access(pathOf(lesson.lessonKey));
  await expect(jobs.getJob({ scope: everyone, jobId })).rejects.toMatchObject({
    refusal: { code: 'job_not_found' },
  });
}, 60_000);
