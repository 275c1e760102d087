import type { WebhookEventType, WebhookMessage } from '@esl-pipeline/contracts/http/webhooks';
import { newDelivery } from './webhook-deliveries.ts';
import type { DeliveryStore, WebhookStore } from './webhook-needs.ts';

/** Something that happened to someone's job. */
export type Happened = {
  /** The same each time that the event is told. */
  readonly eventId: string;
  readonly ownerId: string;
  readonly type: WebhookEventType;
  readonly at: Date;
  /** As the event stream shows it; made only when someone wants it. */
  readonly data: () => object;
};

/** Keeps a delivery for each webhook that wants the event. Told twice, it keeps one. */
export const queueDeliveries =
  ({
    webhooks,
    deliveries,
    clock,
    wake,
  }: {
    readonly webhooks: Pick<WebhookStore, 'enabledOf'>;
    readonly deliveries: Pick<DeliveryStore, 'add'>;
    readonly clock: () => Date;
    readonly wake: () => void;
  }) =>
  async ({ eventId, ownerId, type, at, data }: Happened): Promise<void> => {
    const wanting = (await webhooks.enabledOf(ownerId)).filter(
      ({ events, createdAt }) => events.includes(type) && createdAt <= at,
    );
    if (wanting.length === 0) return;
    const message: WebhookMessage = { type, timestamp: at.toISOString(), data: { ...data() } };
    const body = JSON.stringify(message);
    const now = clock();
    await deliveries.add(wanting.map((webhook) => newDelivery(webhook, { id: eventId, type, body }, now)));
    wake();
  };
