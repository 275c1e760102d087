import type { Outcome } from '@esl/kit/outcome';
import type { Attempt, AttemptError, Delivery, DisabledReason, Webhook } from '../domain/webhook.ts';

/** Webhooks as they are kept. */
export type WebhookStore = {
  /** Answers what is kept under the id: this one, or what an earlier try of the same call has kept. */
  readonly add: (webhook: Webhook, most: number) => Promise<Outcome<Webhook, 'too_many_webhooks'>>;
  readonly find: (ownerId: string, id: string) => Promise<Webhook | null>;
  readonly get: (id: string) => Promise<Webhook | null>;
  readonly list: (ownerId: string) => Promise<Webhook[]>;
  /** Those of an owner that are not disabled. */
  readonly enabledOf: (ownerId: string) => Promise<readonly Webhook[]>;
  readonly remove: (id: string) => Promise<void>;
  readonly disable: (id: string, reason: DisabledReason, at: Date) => Promise<void>;
  /** Something arrived: it is enabled, whatever was before. */
  readonly succeeded: (id: string, at: Date) => Promise<void>;
};

/** A delivery that this process may try, until the claim ends. */
export type Claimed = Delivery & { readonly claim: string };

/** Deliveries as they are kept. */
export type DeliveryStore = {
  /** Keeps those that are not there yet; one webhook gets one delivery of a message. */
  readonly add: (deliveries: readonly Delivery[]) => Promise<void>;
  readonly find: (webhookId: string, by: { id: string } | { messageId: string }) => Promise<Delivery | null>;
  readonly page: (
    webhookId: string,
    page: { readonly size: number; readonly before: string | null },
  ) => Promise<Delivery[]>;
  /** Takes the delivery that is due for longest, for `claimMs`; then it is due again for anyone. */
  readonly claim: (now: Date, claimMs: number, exceptOf: readonly string[]) => Promise<Claimed | null>;
  /** Writes down how an attempt went, unless the claim was lost. */
  readonly settle: (claimed: Claimed, attempt: Attempt, next: Next) => Promise<void>;
  /** Makes a claimed delivery due at once, as if it had not been tried. */
  readonly giveBack: (claimed: Claimed, now: Date) => Promise<void>;
  /** Due now, from the first try on, in whatever state it is. */
  readonly reopen: (id: string, now: Date) => Promise<void>;
  /** Gives up what waits for a webhook. */
  readonly failPendingOf: (webhookId: string) => Promise<void>;
  readonly removeOf: (webhookId: string) => Promise<void>;
};

/** What becomes of a delivery after an attempt. */
export type Next =
  | { readonly state: 'delivered' | 'failed' }
  | { readonly state: 'pending'; readonly at: Date };

/** What a receiver answered, or why there was no answer. */
export type Answer =
  | { readonly status: number; readonly retryAfterMs: number }
  | { readonly error: AttemptError };

/** Sends one message. Never rejects but with the reason of its signal. */
export type Send = (
  message: {
    readonly url: string;
    readonly body: string;
    readonly headers: Readonly<Record<string, string>>;
  },
  signal: AbortSignal,
) => Promise<Answer>;

/** The addresses of a name; none when it has none now. */
export type Resolve = (host: string, signal: AbortSignal) => Promise<readonly string[]>;
