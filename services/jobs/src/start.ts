import { connectBus } from '@esl/kit/bus';
import { consume } from '@esl/kit/consume';
import { startGrpcServer } from '@esl/kit/grpc-server';
import { connectMongo } from '@esl/kit/mongo';
import { announce } from '@esl/kit/publish';
import type { Boot, Running } from '@esl/kit/service';
import { CHANNELS, CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { v7 as uuidv7 } from 'uuid';
import { applyRunReport } from './app/apply-run-report.ts';
import { cancelBatch } from './app/cancel-batch.ts';
import { cancelJob } from './app/cancel-job.ts';
import { createBatch } from './app/create-batch.ts';
import { createJobs } from './app/create-jobs.ts';
import { deleteJob } from './app/delete-job.ts';
import { editMetadata } from './app/edit-metadata.ts';
import { getBatch, listBatches } from './app/read-batches.ts';
import { getJob, getTimeline, listJobs } from './app/read-jobs.ts';
import { rescheduleJob } from './app/reschedule-job.ts';
import { retryFailed } from './app/retry-failed.ts';
import { retryJob } from './app/retry-job.ts';
import { claimRun, releaseRun, renewRuns } from './app/run-lease.ts';
import type { Config } from './config.ts';
import type { JobId } from './domain/job.ts';
import { adminGrpc } from './inbound/admin-grpc.ts';
import { batchesGrpc } from './inbound/batches-grpc.ts';
import { jobsGrpc } from './inbound/grpc.ts';
import { runReportHandlers } from './inbound/run-reports.ts';
import { batchEvents } from './outbound/batch-events.ts';
import { dispatcher } from './outbound/dispatcher.ts';
import { openJobsCollection } from './outbound/job-documents.ts';
import { mongoBatches, openBatchesCollection } from './outbound/mongo-batches.ts';
import { continueDeletions, mongoDeletions, openDeletionsCollection } from './outbound/mongo-deletions.ts';
import { mongoJobStore } from './outbound/mongo-job-store.ts';
import { natsDeadLetters } from './outbound/nats-dead-letters.ts';
import { outboxRelay } from './outbound/outbox-relay.ts';
import { measureQueues } from './outbound/queue-gauges.ts';
import { reconcile } from './outbound/reconciler.ts';
import { retention } from './outbound/retention.ts';
import { systemStats } from './outbound/system-stats.ts';
import { withdrawWork } from './outbound/withdraw-work.ts';

/** Wires the whole service; `address` is where it serves gRPC. */
export const startJobs = async ({
  config,
  log,
}: Boot<Config>): Promise<Running & { readonly address: string }> => {
  const topology = { streams: Object.values(STREAMS), consumers: Object.values(CONSUMERS) };
  const [mongo, bus] = await Promise.all([
    connectMongo({ url: config.MONGODB_URL, database: config.MONGODB_DB, appName: 'jobs' }),
    connectBus(
      {
        url: config.NATS_URL,
        name: 'jobs',
        replicas: config.NATS_REPLICAS,
        factsMaxBytes: config.NATS_FACTS_MAX_BYTES,
        topology,
      },
      log,
    ),
  ]);

  const clock = () => new Date();
  const [jobs, batchDocuments, deletionDocuments] = await Promise.all([
    openJobsCollection(mongo.db),
    openBatchesCollection(mongo.db),
    openDeletionsCollection(mongo.db),
  ]);
  const relay = outboxRelay(jobs, bus, log);
  const batchRelay = outboxRelay(batchDocuments, bus, log);
  const ownerLimit = config.JOB_OWNER_CONCURRENCY;
  const dispatch = dispatcher(jobs, bus, { window: config.JOB_DISPATCH_WINDOW, ownerLimit, now: clock, log });
  const events = batchEvents({ batches: batchDocuments, jobs, relay: batchRelay, now: clock, log });
  const store = mongoJobStore(jobs, {
    now: clock,
    outgoing: relay.send,
    published: relay.published,
    admit: dispatch.admit,
    watch: (before, after) => {
      dispatch.watch(before, after);
      events.watch(before, after);
    },
  });
  const batches = mongoBatches({
    batches: batchDocuments,
    jobs,
    createTogether: store.createTogether,
    inTransaction: mongo.inTransaction,
    now: clock,
  });
  const lease = { store, clock, leaseMs: config.JOB_LEASE_MS, ownerLimit };
  const create = createJobs({ create: store.create, clock });
  const nudge = (id: JobId) => announce(bus, CHANNELS.cancel, id, { jobId: id });
  const cancel = cancelJob({ store, clock, nudge });

  const deletions = mongoDeletions(deletionDocuments, jobs, clock);
  const deletion = deleteJob({
    store,
    deletions,
    publishAll: relay.flush,
    deleted: async (job) => {
      dispatch.gone(job);
      if (job.batchId) await events.mark(job.batchId);
    },
  });
  const continuing = continueDeletions({
    deletions: deletionDocuments,
    jobs,
    bus,
    finish: deletion.finish,
    now: clock,
  });
  const expire = retention({
    jobs,
    remove: deletion.request,
    days: config.JOB_RETENTION_DAYS,
    now: clock,
    log,
  });

  const reports = consume(
    bus,
    CONSUMERS.runReports,
    runReportHandlers(applyRunReport({ store, clock, random: Math.random }), deletions.purged),
    { concurrency: 64, log },
  );
  const reconciling = new AbortController();
  const reconciler = reconcile(
    {
      db: mongo.db,
      jobs,
      store,
      bus,
      relay,
      dispatch,
      batches: events,
      continueDeletions: continuing,
      expire,
      now: clock,
      log,
    },
    reconciling.signal,
  );

  const stopMeasuring = measureQueues(bus, jobs);

  const grpc = await startGrpcServer(
    { host: config.BIND_HOST, port: config.GRPC_PORT },
    [
      jobsGrpc({
        create,
        get: getJob({ store }),
        list: listJobs({ store }),
        stats: store.stats,
        claim: claimRun(lease),
        renew: renewRuns(lease),
        release: releaseRun(lease),
        cancel,
        edit: editMetadata({ store, clock }),
        reschedule: rescheduleJob({ store, clock, withdraw: (job) => withdrawWork(bus, job, clock()) }),
        retry: retryJob({ store, create, clock }),
        timeline: getTimeline({ store }),
      }),
      adminGrpc({
        remove: deletion.request,
        deadLetters: natsDeadLetters(bus),
        stats: systemStats(jobs, bus, clock),
      }),
      batchesGrpc({
        create: createBatch({ batches, clock }),
        get: getBatch({ batches }),
        list: listBatches({ batches }),
        cancel: cancelBatch({ batches, cancel }),
        retry: retryFailed({ batches, store, create, clock, newId: () => uuidv7() as JobId }),
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
      {
        name: 'outbox',
        withinMs: 1_500,
        run: async () => {
          await dispatch.idle();
          await Promise.all([relay.flush(), batchRelay.flush()]);
        },
      },
      { name: 'nats', withinMs: 1_000, run: bus.drain },
      { name: 'mongodb', withinMs: 500, run: mongo.close },
    ],
  };
};
