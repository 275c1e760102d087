import { randomBytes, randomUUID } from 'node:crypto';
import type { DescMessage } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { connectGrpc, type GrpcClient, Refused } from '@esl/kit/grpc-client';
import { publish } from '@esl/kit/publish';
import { shutDown } from '@esl/kit/shut-down';
import { openWorld, type World } from '@esl/kit/testing/world';
import { CHANNELS, CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { WebhooksService } from '@esl-pipeline/contracts/esl/actions/v1/webhooks_service';
import { ArtifactKind, JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { v7 } from 'uuid';
import { loadConfig } from '../src/config.ts';
import { startActions } from '../src/start.ts';
import { type Receiver, startReceiver } from './webhook-receiver.ts';

export type WebhooksClient = GrpcClient<typeof WebhooksService>['call'];
export type OfOwner = { readonly ownerId: string; readonly webhookId: string };

type Told = {
  readonly channel?: 'jobCreated' | 'jobStateChanged' | 'jobProgressed';
  readonly eventId?: string;
  readonly jobId?: string;
};

/** An actions service and those who hear from it. Jobs are told of here as the jobs service tells of them. */
export const openWebhookWorld = async () => {
  const world: World = await openWorld();
  const bus = await world.connectBus({
    streams: Object.values(STREAMS),
    consumers: Object.values(CONSUMERS),
  });
  const SECRETS_KEYS = `v1:${randomBytes(32).toString('base64')}`;

  const start = async (env: Record<string, string> = {}) => {
    const config = loadConfig({
      ...world.env,
      JOBS_ADDR: '127.0.0.1:1',
      CONFIG_ADDR: '127.0.0.1:1',
      SECRETS_KEYS,
      LINK_SECRET: 'a secret that is only used in specs',
      PUBLIC_URL: 'https://esl.example',
      WEBHOOK_ALLOW_PRIVATE: 'true',
      WEBHOOK_RETRY_S: '0,0,0',
      WEBHOOK_TIMEOUT_MS: '1000',
      ...env,
    });
    const service = await startActions({ config, log: world.log });
    const client = connectGrpc(WebhooksService, { address: service.address, deadlineMs: 10_000 });
    let stopped: Promise<void> | null = null;
    const stop = () => {
      client.close();
      stopped ??= shutDown(service.stop, world.log);
      return stopped;
    };
    world.defer(stop);
    return { webhooks: client.call, stop };
  };

  return {
    world,
    start,
    receiver: async (): Promise<Receiver> => {
      const started = await startReceiver();
      world.defer(started.close);
      return started;
    },
    /** Says that something happened to a job of this owner. */
    tell: async (ownerId: string, told: Told = {}) => {
      const { channel = 'jobStateChanged', eventId = randomUUID(), jobId = v7() } = told;
      const at = timestampFromDate(new Date());
      const job = {
        id: jobId,
        ownerId,
        version: 3,
        state: JobState.SUCCEEDED,
        spec: { md: 'a.md', lessonKey: 'lessons/a.md' },
        createdAt: at,
        updatedAt: at,
        artifacts: [{ kind: ArtifactKind.PAGE, key: 'pages/ab/x.html', contentType: 'text/html' }],
      };
      const event = { eventId, jobId, ownerId, version: 3, occurredAt: at, job };
      await publish<DescMessage>(bus, CHANNELS[channel], jobId, event);
      return { eventId, jobId };
    },
  };
};

/** The code that a call is refused with. */
export const codeOf = async (call: Promise<unknown>): Promise<string> => {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Refused)) throw new Error('expected a refusal', { cause: error });
  return error.refusal.code;
};
