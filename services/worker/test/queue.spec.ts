import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { Handlers } from '@esl/kit/delivery';
import { ack, on, retry } from '@esl/kit/delivery';
import { connectGrpc } from '@esl/kit/grpc-client';
import { publish } from '@esl/kit/publish';
import { shutDown } from '@esl/kit/shut-down';
import { eventually, openWorld, type World } from '@esl/kit/testing/world';
import { CHANNELS, CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { BatchesService } from '@esl-pipeline/contracts/esl/jobs/v1/batches_service';
import { JobPriority, JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../jobs/src/config.ts';
import { startJobs } from '../../jobs/src/start.ts';
import { newJobId } from '../../jobs/test/builders.ts';
import { takeWork } from '../src/inbound/intake.ts';

// The queue from both ends: the real jobs service dispatches, the real intake takes. What a run does is left out, so
// that a spec decides when each ends: the order of starts is all that counts.

const topology = { streams: Object.values(STREAMS), consumers: Object.values(CONSUMERS) };
const spec = { md: 'a.md', lessonKey: 'lessons/ab/a.md' };
const everyone = { reach: { case: 'everyone', value: true } } as const;

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

type Run = { readonly jobId: string; readonly end: () => void };

const startReplica = async (env: Record<string, string> = {}) => {
  const config = loadConfig({ ...world.env, JOB_LEASE_MS: '120000', ...env });
  const running = await startJobs({ config, log: world.log });
  const settings = { address: running.address, deadlineMs: 20_000 };
  const [jobs, batches] = [connectGrpc(JobsService, settings), connectGrpc(BatchesService, settings)];
  return {
    running,
    jobs: jobs.call,
    batches: batches.call,
    stop: async () => {
      jobs.close();
      batches.close();
      await shutDown(running.stop, world.log);
    },
  };
};

/** A worker of which every run lasts until it is ended. `started` names the jobs in the order of their starts. */
const startWorker = async (
  jobs: Awaited<ReturnType<typeof startReplica>>['jobs'],
  { slots, workerId = 'w1', started = [] }: { slots: number; workerId?: string; started?: string[] },
) => {
  const bus = await world.connectBus(topology);
  const running: Run[] = [];
  let isStopping = false;
  const perform = async ({ jobId }: { readonly jobId: string }) => {
    if (running.some((run) => run.jobId === jobId)) return retry(500);
    const claim = await jobs.claimRun({ jobId, workerId }).catch(() => null);
    if (claim?.outcome.case === 'busy') return retry(claim.outcome.value.retryAfterMs);
    if (claim?.outcome.case === 'gone') return ack;
    if (claim?.outcome.case !== 'claimed') return retry(100);
    const { promise, resolve } = Promise.withResolvers<void>();
    started.push(jobId);
    const run = { jobId, end: resolve };
    running.push(run);
    if (isStopping) resolve();
    await promise;
    running.splice(running.indexOf(run), 1);
    const attempt = claim.outcome.value.job?.attempt ?? 0;
    const report = { jobId, attempt, result: {} };
    await eventually(() => publish(bus, CHANNELS.runSucceeded, jobId, report).catch(() => null));
    return ack;
  };
  const handlers: Handlers = new Map([on(CHANNELS.runNormal, perform)]);
  const intake = takeWork(bus, handlers, { concurrency: slots, log: world.log });
  return {
    started,
    running,
    /** Ends the oldest run and waits until the slot is taken again. */
    endOne: async () => {
      const before = started.length;
      running[0]?.end();
      await eventually(() => (started.length > before ? true : null));
    },
    stop: async () => {
      isStopping = true;
      for (const run of running) run.end();
      await intake.stop();
      await intake.idle();
    },
  };
};

const newBatch = (ownerId: string, size: number, priority: JobPriority = JobPriority.NORMAL) => ({
  batchId: newJobId(),
  ownerId,
  jobs: Array.from({ length: size }, () => ({ id: newJobId(), spec, priority })),
});

describe('owners', () => {
  it.each<number>([1, 3])(
    'a single lesson is next after another owner’s 500, with %i slots',
    async (slots) => {
      const { jobs, batches, stop } = await startReplica();
      const worker = await startWorker(jobs, { slots });
      await batches.createBatch(newBatch('a', 500));
      await eventually(() => (worker.running.length === slots ? true : null));
      const single = newJobId();
      await jobs.createJobs({ jobs: [{ id: single, ownerId: 'b', spec }] });
      await eventually(() =>
        world.connectBus(topology).then((bus) =>
          bus.jsm.streams.getMessage('WORK', { last_by_subj: `work.run.normal.${single}` }).then(
            () => true,
            () => (worker.started.includes(single) ? true : null),
          ),
        ),
      );
      // One job of the other owner may stand before it in the stream: it starts with the second free slot at the latest.
      await worker.endOne();
      if (!worker.started.includes(single)) await worker.endOne();
      expect(worker.started).toContain(single);
      expect(worker.started.indexOf(single)).toBeLessThanOrEqual(slots + 1);
      await worker.stop();
      await stop();
    },
  );

  it('are served in turn while both have a backlog', async () => {
    const { jobs, batches, stop } = await startReplica();
    await batches.createBatch(newBatch('a', 100));
    await batches.createBatch(newBatch('b', 100));
    const worker = await startWorker(jobs, { slots: 1 });
    await eventually(() => (worker.started.length > 0 ? true : null));
    for (let ends = 0; ends < 20; ends += 1) await worker.endOne();
    const owners = await Promise.all(
      worker.started.map(async (jobId) => (await jobs.getJob({ scope: everyone, jobId })).job?.ownerId),
    );
    const share = owners.filter((ownerId) => ownerId === 'a').length;
    expect(share).toBeGreaterThanOrEqual(8);
    expect(share).toBeLessThanOrEqual(13);
    await worker.stop();
    await stop();
  });

  it('have no more jobs running than their limit, and every job gets its turn', async () => {
    const { jobs, batches, stop } = await startReplica({ JOB_OWNER_CONCURRENCY: '2' });
    const worker = await startWorker(jobs, { slots: 5 });
    const { jobs: wanted } = newBatch('a', 8);
    await batches.createBatch({ batchId: newJobId(), ownerId: 'a', jobs: wanted });
    let most = 0;
    for (let ended = 0; ended < 8; ended += 1) {
      await eventually(() => (worker.running.length > 0 ? true : null));
      const { jobs: running } = await jobs.listJobs({ scope: everyone, states: [JobState.RUNNING] });
      most = Math.max(most, worker.running.length, running.length);
      const before = worker.running[0]?.jobId;
      worker.running[0]?.end();
      await eventually(() => (worker.running[0]?.jobId !== before ? true : null));
    }
    expect(worker.started.toSorted()).toEqual(wanted.map(({ id }) => id).sort());
    expect(most).toBeLessThanOrEqual(2);
    await worker.stop();
    await stop();
  });
});

describe('priorities', () => {
  it('low ones start while there is always something more urgent', async () => {
    const { jobs, batches, stop } = await startReplica();
    const low = newJobId();
    await batches.createBatch(newBatch('a', 40, JobPriority.HIGH));
    await batches.createBatch(newBatch('b', 40, JobPriority.NORMAL));
    await jobs.createJobs({ jobs: [{ id: low, ownerId: 'c', spec, priority: JobPriority.LOW }] });
    const worker = await startWorker(jobs, { slots: 1 });
    await eventually(() => (worker.started.length > 0 ? true : null));
    for (let ends = 0; ends < 30 && !worker.started.includes(low); ends += 1) await worker.endOne();
    expect(worker.started).toContain(low);
    expect(worker.started.length).toBeLessThan(30);
    await worker.stop();
    await stop();
  });

  it('a queued job that becomes urgent is the next, and one that is put off does not start', async () => {
    const { jobs, batches, stop } = await startReplica();
    const batch = newBatch('a', 50);
    await batches.createBatch(batch);
    const worker = await startWorker(jobs, { slots: 1 });
    await eventually(() => (worker.started.length > 0 ? true : null));
    const bus = await world.connectBus(topology);
    const waiting = batch.jobs.filter(({ id }) => !worker.started.includes(id));
    const urgent = waiting.at(-1)?.id ?? '';
    const { job } = await jobs.rescheduleJob({ scope: everyone, jobId: urgent, priority: JobPriority.HIGH });
    expect(job?.priority).toBe(JobPriority.HIGH);
    const messageOf = (subject: string) =>
      bus.jsm.streams.getMessage('WORK', { last_by_subj: subject }).catch(() => null);
    await eventually(() => messageOf(`work.run.high.${urgent}`));
    // A message that had already left may be taken first: the queues are served in weighted turns.
    for (let ends = 0; ends < 2; ends += 1) await worker.endOne();
    expect(worker.started.slice(0, 3)).toContain(urgent);

    const dispatched = await eventually(async () => {
      for (const { id } of waiting)
        if (!worker.started.includes(id) && (await messageOf(`work.run.normal.${id}`))) return id;
      return null;
    });
    const runAt = timestampFromDate(new Date(Date.now() + 86_400_000));
    await jobs.rescheduleJob({ scope: everyone, jobId: dispatched, runAt });
    expect(await messageOf(`work.run.normal.${dispatched}`)).toBeNull();
    for (let ends = 0; ends < 3; ends += 1) await worker.endOne();
    expect(worker.started).not.toContain(dispatched);
    expect((await jobs.claimRun({ jobId: dispatched, workerId: 'w' })).outcome.case).toBe('gone');

    await jobs.rescheduleJob({ scope: everyone, jobId: dispatched, runAt: timestampFromDate(new Date()) });
    const running = worker.started.at(-1) ?? '';
    await expect(
      jobs.rescheduleJob({ scope: everyone, jobId: running, priority: JobPriority.LOW }),
    ).rejects.toMatchObject({ refusal: { code: 'job_cannot_move', details: { state: 'running' } } });
    await worker.stop();
    await stop();
  });
});

describe('scheduled jobs', () => {
  it('run once each and none is missed, with two jobs services and three workers, through restarts', async () => {
    // Leases of this spec's workers are never renewed: short enough to go on after a claim whose answer was lost.
    const env = { JOB_LEASE_MS: '4000' };
    const first = await startReplica(env);
    const second = await startReplica(env);
    const either = connectGrpc(JobsService, {
      address: `${first.running.address},${second.running.address}`,
      deadlineMs: 5_000,
    });
    const started: string[] = [];
    const startOne = (workerId: string) => startWorker(either.call, { slots: 3, workerId, started });
    const workers = await Promise.all(['w1', 'w2', 'w3'].map(startOne));
    const begin = Date.now() + 500;
    const planned = Array.from({ length: 24 }, (_, index) => ({
      id: newJobId(),
      ownerId: `owner ${index % 4}`,
      spec,
      runAt: timestampFromDate(new Date(begin + index * 200)),
    }));
    await first.jobs.createJobs({ jobs: planned });
    const ending = setInterval(() => {
      for (const worker of workers) worker.running[0]?.end();
    }, 20);
    await eventually(() => (started.length >= 6 ? true : null));
    await first.stop();
    await eventually(() => (started.length >= 10 ? true : null));
    const third = await startReplica(env);
    await workers.shift()?.stop();
    await eventually(() => (started.length >= 14 ? true : null));
    workers.push(await startOne('w4'));
    const ids = planned.map(({ id }) => id);
    await eventually(async () => {
      const all = await Promise.all(ids.map((jobId) => third.jobs.getJob({ scope: everyone, jobId })));
      return all.every(({ job }) => job?.state === JobState.SUCCEEDED) ? true : null;
    }, 40_000);
    clearInterval(ending);
    expect(started.toSorted()).toEqual(ids.toSorted());
    for (const worker of workers) await worker.stop();
    either.close();
    await second.stop();
    await third.stop();
  }, 90_000);

  it('do not start early, can be cancelled, and a time in the past is now', async () => {
    const { jobs, stop } = await startReplica();
    const worker = await startWorker(jobs, { slots: 2 });
    const at = (ms: number) => timestampFromDate(new Date(Date.now() + ms));
    const [late, cancelled, past] = [newJobId(), newJobId(), newJobId()];
    await jobs.createJobs({
      jobs: [
        { id: late, ownerId: 'a', spec, runAt: at(1_000) },
        { id: cancelled, ownerId: 'a', spec, runAt: at(600) },
        { id: past, ownerId: 'a', spec, runAt: at(-60_000) },
      ],
    });
    await jobs.cancelJob({ scope: everyone, jobId: cancelled });
    const end = async () => (await eventually(() => worker.running[0] ?? null)).end();
    await end();
    await eventually(() => (worker.started.length === 2 ? true : null));
    await end();
    expect(worker.started).toEqual([past, late]);
    const { job } = await jobs.getJob({ scope: everyone, jobId: late });
    const [runAt, startedAt] = [job?.runAt, job?.startedAt].map(
      (time) => Number(time?.seconds) * 1e9 + (time?.nanos ?? 0),
    );
    expect(startedAt).toBeGreaterThanOrEqual(runAt ?? 0);
    await worker.stop();
    await stop();
  });
});
