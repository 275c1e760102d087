import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import type { GrpcClient } from '@esl/kit/grpc-client';
import {
  CREATE_WEBHOOK_CODES,
  createWebhookSchema,
  type DeliveryStateWord,
  pageQuerySchema,
  type Webhook,
  type WebhookDelivery,
  webhookCreatedSchema,
  webhookDeliveryListSchema,
  webhookDeliverySchema,
  webhookListSchema,
} from '@esl-pipeline/contracts';
import * as pb from '@esl-pipeline/contracts/esl/actions/v1/webhooks_service';
import { z } from 'zod';
import { notFound } from '../problem.ts';
import { objectBody, parseFields } from '../request-body.ts';
import { parseQuery } from '../request-query.ts';
import type { Call, Handler, Route } from '../route.ts';

const time = (at: Timestamp | undefined): string | null => (at ? timestampDate(at).toISOString() : null);
const requiredTime = (at: Timestamp | undefined): string => {
  if (!at) throw new Error('a webhook or delivery without a time');
  return timestampDate(at).toISOString();
};

const webhookDto = (webhook: pb.Webhook): Webhook => ({
  id: webhook.id,
  url: webhook.url,
  events: webhook.events as Webhook['events'],
  createdAt: requiredTime(webhook.createdAt),
  disabledAt: time(webhook.disabledAt),
  disabledReason: (webhook.disabledReason as Webhook['disabledReason'] | undefined) ?? null,
  lastSuccessAt: time(webhook.lastSuccessAt),
});

const STATE_WORD: Readonly<Record<number, DeliveryStateWord>> = {
  [pb.DeliveryState.PENDING]: 'pending',
  [pb.DeliveryState.DELIVERED]: 'delivered',
  [pb.DeliveryState.FAILED]: 'failed',
};

const deliveryDto = (delivery: pb.Delivery): WebhookDelivery => ({
  id: delivery.id,
  messageId: delivery.messageId,
  event: delivery.eventType,
  state: STATE_WORD[delivery.state] ?? 'pending',
  createdAt: requiredTime(delivery.createdAt),
  nextAttemptAt: time(delivery.nextAttemptAt),
  attempts: delivery.attempts.map(({ at, durationMs, status, error }) => ({
    at: requiredTime(at),
    durationMs,
    status: status ?? null,
    error: error ?? null,
  })),
});

/** Users' webhooks. They are kept, and called, by the actions service: the gateway calls nobody outside. */
export const webhookRoutes = (webhooks: GrpcClient<typeof pb.WebhooksService>['call']): Route[] => {
  const of = ({ principal, request }: Call) => ({
    ownerId: principal.ownerId,
    webhookId: String(request.params.webhookId),
  });

  const create: Handler = async ({ principal, request, newId }) => {
    const body = objectBody(request.body, 'invalid_body', 'The body');
    const { url, events } = parseFields(createWebhookSchema, CREATE_WEBHOOK_CODES, body);
    const { webhook, secret } = await webhooks.createWebhook({
      ownerId: principal.ownerId,
      id: newId(),
      url,
      events,
    });
    if (!webhook) throw new Error('no webhook was made');
    return { status: 201, body: { ...webhookDto(webhook), secret } };
  };

  const list: Handler = async ({ principal, signal }) => {
    const { webhooks: found } = await webhooks.listWebhooks({ ownerId: principal.ownerId }, signal);
    return { status: 200, body: { webhooks: found.map(webhookDto), total: found.length } };
  };

  const remove: Handler = async (call) => {
    await webhooks.deleteWebhook(of(call));
    return { status: 200, body: { message: 'The webhook is deleted.', id: of(call).webhookId } };
  };

  const log: Handler = async (call) => {
    const { limit = 0, cursor = '' } = parseQuery(pageQuerySchema, call.request.query);
    const page = { ...of(call), pageSize: limit, pageToken: cursor };
    const { deliveries, nextPageToken } = await webhooks.listDeliveries(page, call.signal);
    return {
      status: 200,
      body: { deliveries: deliveries.map(deliveryDto), nextCursor: nextPageToken || null },
    };
  };

  const accepted = (delivery: pb.Delivery | undefined) => {
    if (!delivery) throw notFound();
    return { status: 202, body: deliveryDto(delivery) };
  };

  const replay: Handler = async (call) => {
    const deliveryId = String(call.request.params.deliveryId);
    const { delivery } = await webhooks.replayDelivery({ ...of(call), deliveryId });
    return accepted(delivery);
  };

  const test: Handler = async (call) => {
    const { delivery } = await webhooks.sendTest({ ...of(call), eventId: call.newId() });
    return accepted(delivery);
  };

  const common = { reach: 'extended', access: 'user', tag: 'Webhooks' } as const;
  const errors = ['not_found'] as const;
  const sent = { 202: { description: 'The delivery, about to be sent.', schema: webhookDeliverySchema } };
  return [
    {
      ...common,
      method: 'post',
      path: '/user/webhooks',
      name: 'createWebhook',
      summary: 'Have an address told of what happens to your jobs',
      idempotent: 'repeated',
      body: { schema: createWebhookSchema, required: true },
      answers: { 201: { description: 'The webhook, and its secret.', schema: webhookCreatedSchema } },
      errors: [...Object.values(CREATE_WEBHOOK_CODES), 'too_many_webhooks', 'webhooks_not_configured'],
      handle: create,
    },
    {
      ...common,
      method: 'get',
      path: '/user/webhooks',
      name: 'listWebhooks',
      summary: 'List your webhooks',
      answers: { 200: { description: 'All of them.', schema: webhookListSchema } },
      errors: [],
      handle: list,
    },
    {
      ...common,
      method: 'delete',
      path: '/user/webhooks/:webhookId',
      name: 'deleteWebhook',
      summary: 'Delete a webhook and its log',
      answers: {
        200: { description: 'It is gone.', schema: z.object({ message: z.string(), id: z.uuid() }) },
      },
      errors,
      handle: remove,
    },
    {
      ...common,
      method: 'get',
      path: '/user/webhooks/:webhookId/deliveries',
      name: 'listWebhookDeliveries',
      summary: 'What was sent to a webhook in the last week, or will be',
      query: pageQuerySchema,
      answers: { 200: { description: 'One page, newest first.', schema: webhookDeliveryListSchema } },
      errors: [...errors, 'invalid_query'],
      handle: log,
    },
    {
      ...common,
      method: 'post',
      path: '/user/webhooks/:webhookId/deliveries/:deliveryId/replay',
      name: 'replayWebhookDelivery',
      summary: 'Send a message again',
      answers: sent,
      errors,
      handle: replay,
    },
    {
      ...common,
      method: 'post',
      path: '/user/webhooks/:webhookId/test',
      name: 'testWebhook',
      summary: 'Send a message of type `test`',
      idempotent: 'stored',
      answers: sent,
      errors,
      handle: test,
    },
  ];
};
