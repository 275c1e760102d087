import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import type { WebhookMessage } from '@esl-pipeline/contracts/http/webhooks';
import { validate as isUuid, v7 } from 'uuid';
import type { Delivery, WebhookRefusal } from '../domain/webhook.ts';
import type { DeliveryStore, WebhookStore } from './webhook-needs.ts';
import { webhookNotFound } from './webhooks.ts';

type Stores = { readonly webhooks: WebhookStore; readonly deliveries: DeliveryStore };
type Asking = Stores & { readonly clock: () => Date; readonly wake: () => void };

export const newDelivery = (
  { id: webhookId, ownerId }: { readonly id: string; readonly ownerId: string },
  message: { readonly id: string; readonly type: Delivery['eventType']; readonly body: string },
  now: Date,
  asked = false,
): Delivery => ({
  id: v7(),
  webhookId,
  ownerId,
  messageId: message.id,
  eventType: message.type,
  body: message.body,
  state: 'pending',
  createdAt: now,
  nextAttemptAt: now,
  tries: 0,
  asked,
  attempts: [],
});

const DEFAULT_SIZE = 25;
const MAX_SIZE = 100;

/** A page of what was sent to a webhook or will be, newest first. The token is the id of the last one seen. */
export const listDeliveries =
  ({ webhooks, deliveries }: Stores) =>
  async (
    ownerId: string,
    webhookId: string,
    { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken: string },
  ): Promise<
    Outcome<{ readonly deliveries: readonly Delivery[]; readonly nextPageToken: string }, WebhookRefusal>
  > => {
    if (pageToken !== '' && !isUuid(pageToken))
      return refuse('invalid_page_token', 'The page token was not made here.');
    if (!(await webhooks.find(ownerId, webhookId))) return webhookNotFound();
    const size = Math.min(pageSize || DEFAULT_SIZE, MAX_SIZE);
    const found = await deliveries.page(webhookId, { size: size + 1, before: pageToken || null });
    const shown = found.slice(0, size);
    return accept({
      deliveries: shown,
      nextPageToken: found.length > size ? (shown.at(-1)?.id ?? '') : '',
    });
  };

/** Sends a delivery again, as the same message. */
export const replayDelivery =
  ({ webhooks, deliveries, clock, wake }: Asking) =>
  async (ownerId: string, webhookId: string, id: string): Promise<Outcome<Delivery, WebhookRefusal>> => {
    if (!(await webhooks.find(ownerId, webhookId))) return webhookNotFound();
    const there = await deliveries.find(webhookId, { id });
    if (there) await deliveries.reopen(id, clock());
    const reopened = there && (await deliveries.find(webhookId, { id }));
    if (!reopened) return refuse('delivery_not_found', 'There is no such delivery.');
    wake();
    return accept(reopened);
  };

/** Sends an event that says nothing, to see whether it arrives. */
export const sendTest =
  ({ webhooks, deliveries, clock, wake }: Asking) =>
  async (ownerId: string, webhookId: string, eventId: string): Promise<Outcome<Delivery, WebhookRefusal>> => {
    const webhook = await webhooks.find(ownerId, webhookId);
    if (!webhook) return webhookNotFound();
    const now = clock();
    const message: WebhookMessage = { type: 'test', timestamp: now.toISOString(), data: { webhookId } };
    const messageId = `test:${eventId || v7()}`;
    await deliveries.add([
      newDelivery(webhook, { id: messageId, type: 'test', body: JSON.stringify(message) }, now, true),
    ]);
    const made = await deliveries.find(webhookId, { messageId });
    if (!made) return refuse('delivery_not_found', 'The webhook was deleted meanwhile.');
    wake();
    return accept(made);
  };
