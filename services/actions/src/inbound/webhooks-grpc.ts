import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type ServedService, serve } from '@esl/kit/grpc-server';
import { accept } from '@esl/kit/outcome';
import { said } from '@esl/kit/said';
import {
  type DeliverySchema,
  DeliveryState,
  type WebhookSchema,
  WebhooksService,
} from '@esl-pipeline/contracts/esl/actions/v1/webhooks_service';
import { status } from '@grpc/grpc-js';
import type { listDeliveries, replayDelivery, sendTest } from '../app/webhook-deliveries.ts';
import type { WebhookStore } from '../app/webhook-needs.ts';
import type { createWebhook, deleteWebhook } from '../app/webhooks.ts';
import type { Attempt, Delivery, Webhook, WebhookRefusal } from '../domain/webhook.ts';

const STATUSES = {
  invalid_webhook_url: status.INVALID_ARGUMENT,
  invalid_webhook_events: status.INVALID_ARGUMENT,
  invalid_webhook_id: status.INVALID_ARGUMENT,
  invalid_page_token: status.INVALID_ARGUMENT,
  too_many_webhooks: status.FAILED_PRECONDITION,
  webhooks_not_configured: status.FAILED_PRECONDITION,
  webhook_not_found: status.NOT_FOUND,
  delivery_not_found: status.NOT_FOUND,
} as const satisfies Record<WebhookRefusal, status>;

const STATES = {
  pending: DeliveryState.PENDING,
  delivered: DeliveryState.DELIVERED,
  failed: DeliveryState.FAILED,
} as const satisfies Record<Delivery['state'], DeliveryState>;

const timeOrNull = (at: Date | null) => at && timestampFromDate(at);

const writeWebhook = (webhook: Webhook): MessageInitShape<typeof WebhookSchema> => ({
  id: webhook.id,
  url: webhook.url,
  events: [...webhook.events],
  createdAt: timestampFromDate(webhook.createdAt),
  ...said({
    disabledAt: timeOrNull(webhook.disabled?.at ?? null),
    disabledReason: webhook.disabled?.reason,
    lastSuccessAt: timeOrNull(webhook.lastSuccessAt),
  }),
});

const writeAttempt = ({ at, durationMs, status: httpStatus, error }: Attempt) => ({
  at: timestampFromDate(at),
  durationMs,
  ...said({ status: httpStatus, error }),
});

const writeDelivery = (delivery: Delivery): MessageInitShape<typeof DeliverySchema> => ({
  id: delivery.id,
  messageId: delivery.messageId,
  eventType: delivery.eventType,
  state: STATES[delivery.state],
  createdAt: timestampFromDate(delivery.createdAt),
  ...said({ nextAttemptAt: timeOrNull(delivery.nextAttemptAt) }),
  attempts: delivery.attempts.map(writeAttempt),
});

export const webhooksGrpc = ({
  create,
  list,
  remove,
  log,
  replay,
  test,
}: {
  readonly create: ReturnType<typeof createWebhook>;
  readonly list: WebhookStore['list'];
  readonly remove: ReturnType<typeof deleteWebhook>;
  readonly log: ReturnType<typeof listDeliveries>;
  readonly replay: ReturnType<typeof replayDelivery>;
  readonly test: ReturnType<typeof sendTest>;
}): ServedService =>
  serve(
    WebhooksService,
    {
      createWebhook: async (wish, { signal }) => {
        const outcome = await create(wish, signal);
        if (!outcome.ok) return outcome;
        const { webhook, secret } = outcome.value;
        return accept({ webhook: writeWebhook(webhook), secret });
      },
      listWebhooks: async ({ ownerId }) => accept({ webhooks: (await list(ownerId)).map(writeWebhook) }),
      deleteWebhook: async ({ ownerId, webhookId }) => {
        const outcome = await remove(ownerId, webhookId);
        return outcome.ok ? accept({}) : outcome;
      },
      listDeliveries: async ({ ownerId, webhookId, pageSize, pageToken }) => {
        const outcome = await log(ownerId, webhookId, { pageSize, pageToken });
        if (!outcome.ok) return outcome;
        const { deliveries, nextPageToken } = outcome.value;
        return accept({ deliveries: deliveries.map(writeDelivery), nextPageToken });
      },
      replayDelivery: async ({ ownerId, webhookId, deliveryId }) => {
        const outcome = await replay(ownerId, webhookId, deliveryId);
        return outcome.ok ? accept({ delivery: writeDelivery(outcome.value) }) : outcome;
      },
      sendTest: async ({ ownerId, webhookId, eventId }) => {
        const outcome = await test(ownerId, webhookId, eventId);
        return outcome.ok ? accept({ delivery: writeDelivery(outcome.value) }) : outcome;
      },
    },
    STATUSES,
  );
