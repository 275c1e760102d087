import { connectBus } from '@esl/kit/bus';
import { consume } from '@esl/kit/consume';
import { startGrpcServer } from '@esl/kit/grpc-server';
import { connectMongo } from '@esl/kit/mongo';
import { announce } from '@esl/kit/publish';
import type { Boot, Running } from '@esl/kit/service';
import { CHANNELS, CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { applyRunReport } from './app/apply-run-report.ts';
import { cancelJob } from './app/cancel-job.ts';
import { createJobs } from './app/create-jobs.ts';
import { editMetadata } from './app/edit-metadata.ts';
import { getJob, listJobs } from './app/read-jobs.ts';
import { claimRun, releaseRun, renewRuns } from './app/run-lease.ts';
import type { Config } from './config.ts';
import { jobsGrpc } from './inbound/grpc.ts';
import { runReportHandlers } from './inbound/run-reports.ts';
import { mongoJobStore, openJobsCollection } from './outbound/mongo-job-store.ts';
import { outboxRelay } from './outbound/outbox-relay.ts';
import { measureQueues } from './outbound/queue-gauges.ts';
import { reconcile } from './outbound/reconciler.ts';

/** Wires the whole service; `address` is where it serves gRPC. */
export const startJobs = async ({
  config,
  log,
}: Boot<Config>): Promise<Running & { readonly address: string }> => {
  const mongo = await connectMongo({ url: config.MONGODB_URL, database: config.MONGODB_DB, appName: 'jobs' });
  const topology = { streams: Object.values(STREAMS), consumers: Object.values(CONSUMERS) };
  const bus = await connectBus(
    { url: config.NATS_URL, name: 'jobs', replicas: config.NATS_REPLICAS, topology },
    log,
  );

  const clock = () => new Date();
  const jobs = await openJobsCollection(mongo.db);
  const relay = outboxRelay(jobs, bus, log);
  const store = mongoJobStore(jobs, { now: clock, outgoing: relay.send, published: relay.published });
  const lease = { store, clock, leaseMs: config.JOB_LEASE_MS };

  const reports = consume(
    bus,
    CONSUMERS.runReports,
    runReportHandlers(applyRunReport({ store, clock, random: Math.random })),
    { concurrency: 64, log },
  );
  const reconciling = new AbortController();
  const reconciler = reconcile(
    { db: mongo.db, jobs, store, bus, relay, now: clock, log },
    reconciling.signal,
  );

  const stopMeasuring = measureQueues(bus, jobs);

  const grpc = await startGrpcServer(
    { host: config.BIND_HOST, port: config.GRPC_PORT },
    [
      jobsGrpc({
        create: createJobs({ create: store.create, clock }),
        get: getJob({ store }),
        list: listJobs({ store }),
        stats: store.stats,
        claim: claimRun(lease),
        renew: renewRuns(lease),
        release: releaseRun(lease),
        cancel: cancelJob({ store, clock, nudge: (id) => announce(bus, CHANNELS.cancel, id, { jobId: id }) }),
        edit: editMetadata({ store, clock }),
      }),
    ],
    log,
  );

  return {
    address: grpc.address,
    ready: { mongodb: mongo.ping, nats: bus.ping },
    stop: [
      { name: 'calls', withinMs: 3_000, run: grpc.close },
      { name: 'run reports', withinMs: 2_000, run: reports.stop },
      {
        name: 'reconciler',
        withinMs: 1_000,
        run: async () => {
          stopMeasuring();
          reconciling.abort();
          await reconciler;
        },
      },
      { name: 'outbox', withinMs: 1_500, run: relay.flush },
      { name: 'nats', withinMs: 1_000, run: bus.drain },
      { name: 'mongodb', withinMs: 500, run: mongo.close },
    ],
  };
};
