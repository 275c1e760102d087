import { connectBus } from '@esl/kit/bus';
import { connectGrpc } from '@esl/kit/grpc-client';
import { startGrpcServer } from '@esl/kit/grpc-server';
import { openBlobStore } from '@esl/kit/open-blob-store';
import type { Boot, Running } from '@esl/kit/service';
import { CHANNELS, CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { OwnerSettingsService } from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { performRun } from './app/perform-run.ts';
import { purgeJob } from './app/purge-job.ts';
import { refreshJob } from './app/refresh-job.ts';
import { runLeases } from './app/run-leases.ts';
import type { Config } from './config.ts';
import { lessonsGrpc } from './inbound/grpc.ts';
import { takeWork } from './inbound/intake.ts';
import { workHandlers } from './inbound/work.ts';
import { systemKeyOf } from './narration/elevenlabs/environment.ts';
import { speechEngine } from './narration/speech-engine.ts';
import { narrators } from './narrators.ts';
import { grpcCatalog } from './outbound/grpc-catalog.ts';
import { grpcOwnerKeys } from './outbound/grpc-owner-keys.ts';
import { grpcVoices } from './outbound/grpc-voices.ts';
import { natsRunReports } from './outbound/nats-run-reports.ts';
import { natsThrottle } from './outbound/nats-throttle.ts';
import type { SharedPorts } from './pipeline/run.ts';
import { choosePublisher } from './publisher/choose-publisher.ts';
import { localPublisher } from './publisher/local-publisher.ts';
import { notionRate, notionSettings } from './publisher/notion/environment.ts';
import { notionPublisher } from './publisher/notion/notion-publisher.ts';

/** How long runs under way may take to end by themselves when the service stops, in ms. */
const GRACE_MS = 6_000;

/** Wires the whole service; `address` is where it serves gRPC. `graceMs` is shorter in specs. */
export const startWorker = async (
  { config, log }: Boot<Config>,
  { graceMs = GRACE_MS } = {},
): Promise<Running & { readonly address: string }> => {
  const topology = { streams: Object.values(STREAMS), consumers: Object.values(CONSUMERS) };
  const [bus, blobs] = await Promise.all([
    connectBus(
      {
        url: config.NATS_URL,
        name: 'worker',
        replicas: config.NATS_REPLICAS,
        factsMaxBytes: config.NATS_FACTS_MAX_BYTES,
        topology,
      },
      log,
    ),
    openBlobStore(config, log),
  ]);
  const jobs = connectGrpc(JobsService, { address: config.JOBS_ADDR, deadlineMs: 5_000 });
  const catalogService = connectGrpc(ConfigService, { address: config.CONFIG_ADDR, deadlineMs: 5_000 });
  const ownerSettings = connectGrpc(OwnerSettingsService, { address: config.CONFIG_ADDR, deadlineMs: 5_000 });
  if (!config.SECRETS_KEYS) log.warn('SECRETS_KEYS is not set: keys of owners cannot be read');

  const now = () => new Date();
  const workerId = config.WORKER_ID;
  const catalog = grpcCatalog(catalogService.call);
  const engine = speechEngine();
  const voices = grpcVoices(catalogService.call);
  const choose = narrators(config, { blobs, engine, voices: voices.list });
  const ownerKeys = grpcOwnerKeys(ownerSettings.call, config.SECRETS_KEYS ?? null);
  const systemKey = systemKeyOf(config);
  const pagesOf = choosePublisher(localPublisher({ blobs, now }), (token, account) =>
    notionPublisher({
      ...notionSettings(config),
      token,
      throttle: natsThrottle(bus, account, notionRate(config), log),
      blobs,
    }),
  );
  const ports: SharedPorts = {
    blobs,
    catalog,
    publisherFor: async (ownerId, signal) => {
      const own = await ownerKeys.find(ownerId, 'notion_token', signal);
      return pagesOf(own ?? config.NOTION_TOKEN ?? null);
    },
    narratorFor: async ({ ownerId, ttsProvider }, signal) => {
      // Who wants the local voices needs no key, not even a readable one.
      if (ttsProvider === 'local') return choose({ apiKey: null, ttsProvider });
      const own = await ownerKeys.find(ownerId, 'elevenlabs_key', signal);
      return choose({ apiKey: own ?? systemKey, ttsProvider });
    },
    now,
  };

  const leases = runLeases({ jobs: jobs.call, workerId, renewMs: config.LEASE_RENEW_MS, log });
  const reports = natsRunReports(bus, now, log);
  bus.nc.subscribe(CHANNELS.cancel.subject('*'), {
    callback: (_, { subject }) => leases.nudge(subject.slice(CHANNELS.cancel.subject('').length)),
  });
  const forgetConfig = () => {
    catalog.forget();
    voices.forget();
    ownerKeys.forget();
  };
  bus.nc.subscribe(CHANNELS.configChanged.subject(''), { callback: forgetConfig });
  bus.onReconnect(forgetConfig);

  const grpc = await startGrpcServer(
    { host: config.BIND_HOST, port: config.GRPC_PORT },
    [lessonsGrpc(ports)],
    log,
  );
  const intake = takeWork(
    bus,
    workHandlers({
      perform: performRun({ jobs: jobs.call, leases, reports, ports, workerId, log }),
      refresh: refreshJob({ jobs: jobs.call, reports, ports, log }),
      purge: purgeJob({ blobs, reports, log }),
    }),
    { concurrency: config.WORKER_CONCURRENCY, log },
  );

  return {
    address: grpc.address,
    ready: { nats: bus.ping, jobs: jobs.ping, config: catalogService.ping },
    stop: [
      { name: 'intake', withinMs: 300, run: intake.stop },
      {
        name: 'runs',
        withinMs: graceMs + 1_200,
        run: async () => {
          const handBack = setTimeout(leases.stopAll, graceMs);
          await intake.idle();
          clearTimeout(handBack);
        },
      },
      { name: 'calls', withinMs: 300, run: grpc.close },
      { name: 'speech', withinMs: 300, run: engine.close },
      { name: 'nats', withinMs: 800, run: bus.drain },
      {
        name: 'clients',
        withinMs: 100,
        run: () => {
          jobs.close();
          catalogService.close();
          ownerSettings.close();
        },
      },
    ],
  };
};
