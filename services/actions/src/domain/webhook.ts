import type { DeliveryStateWord, WebhookEventType } from '@esl-pipeline/contracts/http/webhooks';

/** An address of a user that wants to know what happens to that user's jobs. */
export type Webhook = {
  readonly id: string;
  readonly ownerId: string;
  readonly url: string;
  readonly events: readonly WebhookEventType[];
  readonly sealedSecret: string;
  readonly createdAt: Date;
  readonly disabled: { readonly at: Date; readonly reason: DisabledReason } | null;
  readonly lastSuccessAt: Date | null;
};

export type DisabledReason = 'gone' | 'failing';

/** Why an attempt did not count. */
export type AttemptError =
  | 'http_status'
  | 'redirect'
  | 'timeout'
  | 'private_address'
  | 'name_not_found'
  | 'not_trusted'
  | 'connection_failed'
  | 'secret_unreadable'
  | 'webhook_disabled';

export type Attempt = {
  readonly at: Date;
  readonly durationMs: number;
  /** Of HTTP; null without an answer. */
  readonly status: number | null;
  /** Null: it arrived. */
  readonly error: AttemptError | null;
};

/** One event on its way to one webhook. */
export type Delivery = {
  readonly id: string;
  readonly webhookId: string;
  readonly ownerId: string;
  /** The header `webhook-id`: the same in every attempt, so that a receiver knows a repeat. */
  readonly messageId: string;
  readonly eventType: WebhookEventType | 'test';
  /** What is signed and sent, to the byte. */
  readonly body: string;
  readonly state: DeliveryStateWord;
  readonly createdAt: Date;
  /** While pending. */
  readonly nextAttemptAt: Date | null;
  /** Attempts begun since it was made, or asked for again. */
  readonly tries: number;
  /** A test or a replay: someone wants to see it arrive, even at a webhook that is disabled. */
  readonly asked: boolean;
  readonly attempts: readonly Attempt[];
};

export type WebhookRefusal =
  | 'invalid_webhook_url'
  | 'invalid_webhook_events'
  | 'invalid_webhook_id'
  | 'too_many_webhooks'
  | 'webhooks_not_configured'
  | 'webhook_not_found'
  | 'delivery_not_found'
  | 'invalid_page_token';
