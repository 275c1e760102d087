import { connectBus } from '@esl/kit/bus';
import { consume } from '@esl/kit/consume';
import { connectGrpc } from '@esl/kit/grpc-client';
import { startGrpcServer } from '@esl/kit/grpc-server';
import { connectMongo } from '@esl/kit/mongo';
import type { Boot, Running } from '@esl/kit/service';
import { signedLinks } from '@esl/kit/signed-links';
import { CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { allActions } from './app/actions.ts';
import { attemptDelivery } from './app/attempt-delivery.ts';
import { runDeliveryLoop } from './app/delivery-loop.ts';
import { executeAction } from './app/execute-action.ts';
import { queueDeliveries } from './app/queue-deliveries.ts';
import { listDeliveries, replayDelivery, sendTest } from './app/webhook-deliveries.ts';
import { createWebhook, deleteWebhook } from './app/webhooks.ts';
import type { Config } from './config.ts';
import { actionsGrpc } from './inbound/grpc.ts';
import { jobEventHandlers } from './inbound/job-events.ts';
import { webhooksGrpc } from './inbound/webhooks-grpc.ts';
import { configClient } from './outbound/config-client.ts';
import { jobsClient } from './outbound/jobs-client.ts';
import { openActionLog } from './outbound/mongo-action-log.ts';
import { openDeliveryStore } from './outbound/mongo-deliveries.ts';
import { openWebhookStore } from './outbound/mongo-webhooks.ts';
import { systemResolve, webhookSender } from './outbound/webhook-sender.ts';

/** An action is at most three calls; its caller waits for all of them. In ms. */
const CALL_MS = 3_000;
/** Events turned into deliveries at once. */
const EVENTS_AT_ONCE = 100;
/** How often deliveries that another process queued, or whose wait is over, are looked for, in ms. */
const POLL_MS = 500;
/** What a claim outlasts an attempt by, in ms. */
const CLAIM_MARGIN_MS = 5_000;
/** How long receivers may still take when the service stops, in ms; then the rest is left to others. */
const STOP_GRACE_MS = 1_000;

/** Wires the whole service; `address` is where it serves gRPC. */
export const startActions = async ({
  config,
  log,
}: Boot<Config>): Promise<Running & { readonly address: string }> => {
  const [mongo, bus] = await Promise.all([
    connectMongo({ url: config.MONGODB_URL, database: config.MONGODB_DB, appName: 'actions' }),
    connectBus(
      {
        url: config.NATS_URL,
        name: 'actions',
        replicas: config.NATS_REPLICAS,
        factsMaxBytes: config.NATS_FACTS_MAX_BYTES,
        topology: { streams: [STREAMS.JOBS], consumers: [CONSUMERS.webhooks] },
      },
      log,
    ),
  ]);
  const [actionLog, webhooks, deliveries] = await Promise.all([
    openActionLog(mongo.db, log),
    openWebhookStore(mongo.db),
    openDeliveryStore(mongo.db),
  ]);
  const jobsService = connectGrpc(JobsService, { address: config.JOBS_ADDR, deadlineMs: CALL_MS });
  const configService = connectGrpc(ConfigService, { address: config.CONFIG_ADDR, deadlineMs: CALL_MS });

  const jobs = jobsClient(jobsService);
  const actions = allActions({ jobs, catalog: configClient(configService) });
  const clock = () => new Date();
  const execute = executeAction({ actions, jobs, log: actionLog, clock });

  const { SECRETS_KEYS: keys, WEBHOOK_ALLOW_PRIVATE: allowPrivate, WEBHOOK_TIMEOUT_MS: timeoutMs } = config;
  if (!keys) log.warn('SECRETS_KEYS is not set: no webhook can be made');
  const loop = runDeliveryLoop({
    // Without the keys nothing can be signed: others may have them.
    claim: keys ? deliveries.claim : async () => null,
    attempt: attemptDelivery({
      webhooks,
      deliveries,
      send: webhookSender({ allowPrivate, timeoutMs, now: Date.now }),
      keys,
      delaysS: config.WEBHOOK_RETRY_S,
      clock,
      random: Math.random,
    }),
    atOnce: config.WEBHOOK_CONCURRENCY,
    atOnceForOne: config.WEBHOOK_CONCURRENCY_OF_ONE,
    claimMs: timeoutMs + CLAIM_MARGIN_MS,
    pollMs: POLL_MS,
    clock,
    log,
  });
  const { wake } = loop;
  const asking = { webhooks, deliveries, clock, wake };
  const served = webhooksGrpc({
    create: createWebhook({ webhooks, resolve: systemResolve, keys, allowPrivate, clock }),
    list: webhooks.list,
    remove: deleteWebhook({ webhooks, deliveries }),
    log: listDeliveries({ webhooks, deliveries }),
    replay: replayDelivery(asking),
    test: sendTest(asking),
  });

  const { LINK_SECRET: secret, PUBLIC_URL: publicUrl } = config;
  const links = secret
    ? signedLinks({ secret, publicUrl, now: Date.now })
    : { to: (path: string) => publicUrl + path, file: () => null };
  const events = consume(bus, CONSUMERS.webhooks, jobEventHandlers(queueDeliveries(asking), links), {
    concurrency: EVENTS_AT_ONCE,
    log,
  });

  const grpc = await startGrpcServer(
    { host: config.BIND_HOST, port: config.GRPC_PORT },
    [actionsGrpc(actions, execute), served],
    log,
  );
  return {
    address: grpc.address,
    // Without config only edits are refused, for now.
    ready: { mongodb: mongo.ping, jobs: jobsService.ping, nats: bus.ping },
    stop: [
      { name: 'calls', withinMs: 4_000, run: grpc.close },
      { name: 'events', withinMs: 1_500, run: events.stop },
      { name: 'deliveries', withinMs: STOP_GRACE_MS + 500, run: () => loop.stop(STOP_GRACE_MS) },
      {
        name: 'clients',
        withinMs: 100,
        run: () => {
          jobsService.close();
          configService.close();
        },
      },
      { name: 'nats', withinMs: 500, run: bus.drain },
      { name: 'mongodb', withinMs: 500, run: mongo.close },
    ],
  };
};
