import type { Bus } from '@esl/kit/bus';
import { connectGrpc, type GrpcClient } from '@esl/kit/grpc-client';
import { eventually, openWorld, type World } from '@esl/kit/testing/world';
import { CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { BatchesService } from '@esl-pipeline/contracts/esl/jobs/v1/batches_service';
import type { JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { JobAdminService } from '@esl-pipeline/contracts/esl/jobs/v1/job_admin_service';
import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { loadConfig } from '../src/config.ts';
import { startJobs } from '../src/start.ts';
import { newJobId } from './builders.ts';

const topology = { streams: Object.values(STREAMS), consumers: Object.values(CONSUMERS) };

export const everyone = { reach: { case: 'everyone', value: true } } as const;
export const owner = (value: string) => ({ reach: { case: 'ownerId', value } }) as const;

/** One running jobs service, and clients of all it serves. */
export const startReplica = async (world: World, env: Record<string, string> = {}) => {
  const config = loadConfig({ ...world.env, JOB_LEASE_MS: '2000', ...env });
  const running = await world.run(startJobs({ config, log: world.log }));
  const settings = { address: running.address, deadlineMs: 20_000 };
  const jobs = connectGrpc(JobsService, settings);
  const batches = connectGrpc(BatchesService, settings);
  const admin = connectGrpc(JobAdminService, settings);
  for (const { close } of [jobs, batches, admin]) world.defer(close);
  return { jobs: jobs.call, batches: batches.call, admin: admin.call, running };
};

export type JobsWorld = Awaited<ReturnType<typeof openJobsWorld>>;

/** A jobs service on real servers of its own. */
export const openJobsWorld = async (env: Record<string, string> = {}) => {
  const world = await openWorld();
  const bus: Bus = await world.connectBus(topology);
  const { jobs, batches, admin } = await startReplica(world, env);

  type NewJob = NonNullable<
    Parameters<GrpcClient<typeof JobsService>['call']['createJobs']>[0]['jobs']
  >[number];
  const spec = { md: 'a.md', lessonKey: 'lessons/ab/a.md' };
  const create = async (over: Omit<NewJob, '$typeName'> = {}): Promise<string> => {
    const id = over.id ?? newJobId();
    await jobs.createJobs({ jobs: [{ ownerId: 'ana', spec, ...over, id }] });
    return id;
  };
  const get = async (jobId: string) => {
    const { job } = await jobs.getJob({ scope: everyone, jobId });
    if (!job) throw new Error('no job');
    return job;
  };
  return {
    world,
    bus,
    jobs,
    batches,
    admin,
    create,
    get,
    claim: async (jobId: string, workerId = 'w1') => (await jobs.claimRun({ jobId, workerId })).outcome,
    stateIs: (jobId: string, state: JobState) =>
      eventually(async () => {
        const job = await get(jobId);
        return job.state === state ? job : null;
      }),
    newBatch: (ownerId: string, size: number, name?: string) => ({
      batchId: newJobId(),
      ownerId,
      ...(name && { name }),
      jobs: Array.from({ length: size }, () => ({ id: newJobId(), spec })),
    }),
  };
};
