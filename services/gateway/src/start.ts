import { randomBytes } from 'node:crypto';
import { failingChecks } from '@esl/kit/admin-server';
import { connectBus } from '@esl/kit/bus';
import { connectGrpc } from '@esl/kit/grpc-client';
import { connectMongo } from '@esl/kit/mongo';
import { openBlobStore } from '@esl/kit/open-blob-store';
import type { Boot, Running } from '@esl/kit/service';
import { signedLinks } from '@esl/kit/signed-links';
import { STREAMS } from '@esl-pipeline/contracts/bus';
import { ActionsService } from '@esl-pipeline/contracts/esl/actions/v1/actions_service';
import { WebhooksService } from '@esl-pipeline/contracts/esl/actions/v1/webhooks_service';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { OwnerSettingsService } from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import { BatchesService } from '@esl-pipeline/contracts/esl/jobs/v1/batches_service';
import type * as pb from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { JobAdminService } from '@esl-pipeline/contracts/esl/jobs/v1/job_admin_service';
import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { LessonsService } from '@esl-pipeline/contracts/esl/lessons/v1/lessons_service';
import { jobDto } from '@esl-pipeline/contracts/http/job-dto';
import { submitBatch } from './app/submit-batch.ts';
import { submitJob } from './app/submit-job.ts';
import { lessonText } from './app/validate-lesson.ts';
import type { Config } from './config.ts';
import { httpApp } from './inbound/app.ts';
import { listen } from './inbound/http-server.ts';
import { withIdempotency } from './inbound/idempotency.ts';
import { openApi } from './inbound/openapi.ts';
import { anonymous } from './inbound/principal.ts';
import type { Route } from './inbound/route.ts';
import { actionRoutes } from './inbound/routes/actions.ts';
import { batchRoutes } from './inbound/routes/batches.ts';
import { docRoutes } from './inbound/routes/docs.ts';
import { eventRoutes } from './inbound/routes/events.ts';
import { fileRoutes } from './inbound/routes/files.ts';
import { healthRoutes } from './inbound/routes/health.ts';
import { jobControlRoutes } from './inbound/routes/job-control.ts';
import { jobRoutes } from './inbound/routes/jobs.ts';
import { lessonRoutes } from './inbound/routes/lessons.ts';
import { optionRoutes } from './inbound/routes/options.ts';
import { webhookRoutes } from './inbound/routes/webhooks.ts';
import { batchCreator, jobCreator } from './outbound/job-creator.ts';
import { followJobs, jobStreamPast } from './outbound/job-stream.ts';
import { lessonFolder } from './outbound/lesson-folder.ts';
import { openIdempotencyKeys } from './outbound/mongo-idempotency-keys.ts';
import { createHub } from './sse/hub.ts';
import { startAccounts } from './start-accounts.ts';

/** How often streams are looked at for a heartbeat, at most, in ms. */
const HEARTBEAT_TICK_MS = 500;

/** Wires the whole service; `url` is where it answers HTTP. */
export const startGateway = async ({
  config,
  log,
}: Boot<Config>): Promise<Running & { readonly url: string }> => {
  const http = await listen({
    host: config.BIND_HOST,
    port: config.PORT,
    maxStreams: config.SSE_MAX_CONNECTIONS,
  });
  const url = `http://127.0.0.1:${http.port}`;
  const publicUrl = config.PUBLIC_URL ?? url;
  if (!config.LINK_SECRET) log.warn('LINK_SECRET is not set: links to files end with this process');
  const secret = config.LINK_SECRET ?? randomBytes(32).toString('base64url');

  const now = Date.now;
  const links = signedLinks({ secret, publicUrl, now });
  const toDto = (job: pb.Job) => jobDto(job, links);

  const [blobs, mongo, bus] = await Promise.all([
    openBlobStore(config, log),
    connectMongo({ url: config.MONGODB_URL, database: config.MONGODB_DB, appName: 'gateway' }),
    connectBus(
      {
        url: config.NATS_URL,
        name: 'gateway',
        replicas: config.NATS_REPLICAS,
        factsMaxBytes: config.NATS_FACTS_MAX_BYTES,
        topology: { streams: [STREAMS.JOBS], consumers: [] },
      },
      log,
    ),
  ]);
  const deadlineMs = config.RPC_DEADLINE_MS;
  const jobs = connectGrpc(JobsService, { address: config.JOBS_ADDR, deadlineMs });
  const jobAdmin = connectGrpc(JobAdminService, { address: config.JOBS_ADDR, deadlineMs });
  const batches = connectGrpc(BatchesService, { address: config.JOBS_ADDR, deadlineMs });
  const actions = connectGrpc(ActionsService, { address: config.ACTIONS_ADDR, deadlineMs });
  const webhooks = connectGrpc(WebhooksService, { address: config.ACTIONS_ADDR, deadlineMs });
  const lessons = connectGrpc(LessonsService, { address: config.LESSONS_ADDR, deadlineMs });
  const settings = connectGrpc(ConfigService, { address: config.CONFIG_ADDR, deadlineMs });
  const owners = connectGrpc(OwnerSettingsService, { address: config.CONFIG_ADDR, deadlineMs });

  const hub = createHub({
    toDto,
    past: jobStreamPast(bus),
    maxConnections: config.SSE_MAX_CONNECTIONS,
    heartbeatMs: config.SSE_HEARTBEAT_MS,
    stallMs: config.SSE_STALL_MS,
    now,
    log,
  });
  const stopFollowing = new AbortController();
  const ready = { jobs: jobs.ping, mongodb: mongo.ping, nats: bus.ping };
  const [following, keys, accounts] = await Promise.all([
    followJobs(bus, hub, log, stopFollowing.signal),
    openIdempotencyKeys(mongo.db, now),
    config.BATCH_BACKEND_ENABLE_EXTENDED_API
      ? startAccounts({
          config,
          db: mongo.db,
          publicUrl,
          bus,
          blobs,
          owners: owners.call,
          jobs: jobs.call,
          jobAdmin: jobAdmin.call,
          toDto,
          failing: () => failingChecks({ ...ready, actions: actions.ping, config: settings.ping }),
          log,
        })
      : null,
  ]);
  const beat = setInterval(hub.heartbeat, Math.min(HEARTBEAT_TICK_MS, config.SSE_HEARTBEAT_MS / 2));

  const findLesson =
    accounts?.findLesson ?? lessonFolder({ root: config.LESSONS_DIR, maxBytes: config.MAX_FILE_SIZE, blobs });
  const submit = submitJob({
    findLesson,
    create: jobCreator(jobs.call),
  });
  const submitMany = submitBatch({ findLesson, create: batchCreator(batches.call) });

  const readLesson = async (key: string, signal: AbortSignal) => {
    const bytes = await blobs.get(key, signal);
    return bytes && Buffer.from(bytes).toString('utf8');
  };

  let leaving = false;
  /** Made when it is first read: few processes are ever asked. */
  let document: ReturnType<typeof openApi> | null = null;
  const all: Route[] = [
    ...eventRoutes(hub, now, accounts?.watchCaller ?? (() => () => {})),
    ...batchRoutes({ submit: submitMany, batches: batches.call }),
    ...jobRoutes({ submit, jobs: jobs.call, toDto }),
    ...jobControlRoutes({ jobs: jobs.call, toDto, links }),
    ...actionRoutes(actions.call),
    ...lessonRoutes({ textOf: lessonText({ findLesson, read: readLesson }), lessons: lessons.call }),
    ...webhookRoutes(webhooks.call),
    ...optionRoutes({ config: settings.call, actions: actions.call }),
    ...fileRoutes({ blobs, links, now, log }),
    ...healthRoutes(ready, () => leaving),
    ...docRoutes(() => {
      document ??= openApi(routes, publicUrl, { accounts: accounts !== null });
      return document;
    }),
    ...(accounts?.routes ?? []),
  ];
  const routes = accounts ? all : all.filter(({ reach }) => reach === 'core');
  const served = new Set(routes.map(({ path }) => path));
  const hidden = all.map(({ path }) => path).filter((path) => !served.has(path));
  http.serve(
    httpApp(routes.map(withIdempotency({ keys, waitMs: config.IDEMPOTENCY_WAIT_MS })), hidden, {
      authenticate: accounts?.authenticate ?? anonymous,
      countCall: accounts?.countCall ?? (async () => {}),
      trustProxy: config.TRUST_PROXY,
      hstsMaxAgeS: config.HSTS_MAX_AGE,
      cors: config.ENABLE_CORS ? { origins: config.CORS_ORIGIN, credentials: config.CORS_CREDENTIALS } : null,
      log,
    }),
  );
  log.info({ url, publicUrl }, 'serving');

  return {
    url,
    ready,
    stop: [
      {
        name: 'not ready',
        withinMs: 100,
        run: () => {
          leaving = true;
        },
      },
      {
        name: 'drain',
        withinMs: config.HTTP_DRAIN_MS + 100,
        run: () => http.sendAway(config.HTTP_DRAIN_MS),
      },
      { name: 'intake', withinMs: 100, run: http.stopAccepting },
      { name: 'streams', withinMs: 500, run: hub.sayResumeLater },
      { name: 'in flight', withinMs: 5_000, run: http.finish },
      {
        name: 'event tail',
        withinMs: 1_000,
        run: async () => {
          clearInterval(beat);
          stopFollowing.abort();
          await following.ended;
        },
      },
      {
        name: 'calls',
        withinMs: 100,
        run: () => {
          for (const client of [jobs, jobAdmin, batches, actions, webhooks, lessons, settings, owners])
            client.close();
        },
      },
      { name: 'accounts', withinMs: 1_000, run: async () => await accounts?.stop() },
      { name: 'nats', withinMs: 1_000, run: bus.drain },
      { name: 'mongodb', withinMs: 500, run: mongo.close },
    ],
  };
};
