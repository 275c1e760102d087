import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlobStore, filesystemBlobStore, sha256 } from '@esl/kit/blob-store';
import type { Bus } from '@esl/kit/bus';
import { connectGrpc, type GrpcClient } from '@esl/kit/grpc-client';
import { serve, startGrpcServer } from '@esl/kit/grpc-server';
import { accept, refuse } from '@esl/kit/outcome';
import { eventually, openWorld, type World } from '@esl/kit/testing/world';
import { CHANNELS, CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { OwnerSettingsService } from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import { JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { status } from '@grpc/grpc-js';
import { loadConfig as loadJobsConfig } from '../../jobs/src/config.ts';
import { startJobs } from '../../jobs/src/start.ts';
import { newJobId } from '../../jobs/test/builders.ts';
import { loadConfig } from '../src/config.ts';
import { manifestKey } from '../src/pipeline/checkpoint.ts';
import { startWorker } from '../src/start.ts';

export const signal = new AbortController().signal;
export const topology = { streams: Object.values(STREAMS), consumers: Object.values(CONSUMERS) };

/** Every file of a blob folder below `prefix`, as keys. */
export const keysUnder = async (folder: string, prefix: string): Promise<string[]> => {
  const entries = await readdir(join(folder, prefix), { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
};

type Spec = {
  preset?: string;
  withTts?: boolean;
  upload?: string;
  forceTts?: boolean;
  voiceId?: string;
  voiceAccent?: string;
  mode?: string;
  notionDatabase?: string;
};

/**
 * The real jobs service and bus, a small catalog, and as many workers as a spec starts. `store` is where lessons are put
 * for workers that keep their blobs elsewhere than in the world's folder.
 */
export const openWorkerWorld = async ({
  leaseMs = 20_000,
  store,
}: {
  leaseMs?: number;
  store?: BlobStore;
} = {}) => {
  const world: World = await openWorld();
  const bus: Bus = await world.connectBus(topology);
  const jobsConfig = loadJobsConfig({ ...world.env, JOB_LEASE_MS: String(leaseMs) });
  const jobs = await world.run(startJobs({ config: jobsConfig, log: world.log }));
  const client: GrpcClient<typeof JobsService> = connectGrpc(JobsService, {
    address: jobs.address,
    deadlineMs: 10_000,
  });
  world.defer(client.close);

  /** What the catalog does next: a fault makes it answer as a broken service does, a hold keeps one caller waiting. */
  const catalog: { isBroken: boolean; calls: number; hold: Promise<void> | null } = {
    isBroken: false,
    calls: 0,
    hold: null,
  };
  const config = await startGrpcServer(
    { host: '127.0.0.1', port: 0 },
    [
      serve(
        ConfigService,
        {
          getJobOptions: async () => accept({}),
          listVoices: async () => accept({}),
          resolveSettings: async ({ preset, voiceAccent, notionDatabase }) => {
            catalog.calls += 1;
            const { hold } = catalog;
            catalog.hold = null;
            await hold;
            if (catalog.isBroken) throw new Error('broken for this spec');
            if (preset === 'no-such-preset') return refuse('unknown_preset', 'There is no such preset.');
            return accept({
              preset: { name: preset ?? 'b1-default', h2: preset ? 'blue_background' : 'yellow_background' },
              ...(voiceAccent && { voiceAccent }),
              ...(notionDatabase && { notionDatabase }),
              voiceMap: { auto: true, speakers: {} },
              version: 'v1',
            });
          },
        },
        { unknown_preset: status.INVALID_ARGUMENT },
      ),
      serve(
        OwnerSettingsService,
        {
          getOwnerSettings: async () => accept({}),
          updateOwnerSettings: async () => accept({}),
          getOwnerKeys: async () => accept({}),
        },
        {},
      ),
    ],
    world.log,
  );
  world.defer(() => config.close(AbortSignal.timeout(500)));

  const blobFolder = join(world.folder, 'blobs');
  const blobs: BlobStore = store ?? filesystemBlobStore(blobFolder);

  const startOne = (env: Record<string, string> = {}, options: { graceMs?: number } = {}) =>
    startWorker(
      {
        config: loadConfig({
          ...world.env,
          JOBS_ADDR: jobs.address,
          CONFIG_ADDR: config.address,
          BLOB_DIR: blobFolder,
          LEASE_RENEW_MS: '400',
          ...env,
        }),
        log: world.log,
      },
      options,
    );

  const job = async (jobId: string) => {
    const found = await client.call.getJob({
      scope: { reach: { case: 'everyone', value: true } },
      jobId,
    });
    if (!found.job) throw new Error('no job');
    return found.job;
  };
  const isEnd = (state: JobState) =>
    state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED;

  return {
    ...world,
    bus,
    blobs,
    blobFolder,
    catalog,
    call: client.call,
    /** Starts a worker that the caller stops. */
    startOne,
    /** Starts a worker that stops with the world. */
    start: (env?: Record<string, string>) => world.run(startOne(env)),
    /** Stores a lesson and submits it. */
    submit: async (lesson: string | null, spec: Spec = {}, parentJobId?: string) => {
      const lessonKey = `lessons/${sha256(lesson ?? 'missing')}.md`;
      if (lesson !== null) {
        await blobs.put(lessonKey, Buffer.from(lesson), { contentType: 'text/markdown' }, signal);
      }
      const id = newJobId();
      await client.call.createJobs({
        jobs: [
          {
            id,
            ownerId: 'ana',
            spec: { md: 'lesson.md', lessonKey, ...spec },
            ...(parentJobId && { parentJobId }),
          },
        ],
      });
      return id;
    },
    job,
    ended: (jobId: string, withinMs = 20_000) =>
      eventually(async () => {
        const now = await job(jobId);
        return isEnd(now.state) ? now : null;
      }, withinMs),
    /** Resolves when the job is seen in the middle of a step. */
    inStep: (jobId: string, step: string) =>
      eventually(async () => ((await job(jobId)).progress?.step === step ? true : null)),
    manifest: async (jobId: string) => {
      const stored = await blobs.get(manifestKey(jobId), signal);
      return JSON.parse(Buffer.from(stored ?? 'null').toString());
    },
    workIsDone: (jobId: string) =>
      eventually(async () => {
        const left = await bus.jsm.streams
          .getMessage('WORK', { last_by_subj: CHANNELS.runNormal.subject(jobId) })
          .catch(() => null);
        return left ? null : true;
      }),
  };
};

export type WorkerWorld = Awaited<ReturnType<typeof openWorkerWorld>>;
