// One attempt to deliver, and what follows from it.
//   W1. What is sent, its webhook-id included, is the same in every attempt: a receiver can drop repeats.
//   W2. The outcome is written after the answer: a crash in between sends once more, never not at all.
//   W3. Only a success ends the attempts early; a webhook at which nothing arrives any more is left alone.

import { type SealKeys, unseal } from '@esl/kit/seal';
import { Webhook as Signer } from 'standardwebhooks';
import { nextDelayMs } from '../domain/retry-schedule.ts';
import type { Attempt, Webhook } from '../domain/webhook.ts';
import type { Answer, Claimed, DeliveryStore, Next, Send, WebhookStore } from './webhook-needs.ts';
import { secretContext } from './webhooks.ts';

const GONE = 410;

/** Null: it arrived. */
const errorOf = (answer: Answer): Attempt['error'] => {
  if ('error' in answer) return answer.error;
  if (answer.status >= 200 && answer.status < 300) return null;
  return answer.status >= 300 && answer.status < 400 ? 'redirect' : 'http_status';
};

type Parts = {
  readonly webhooks: WebhookStore;
  readonly deliveries: DeliveryStore;
  readonly send: Send;
  readonly keys: SealKeys | undefined;
  readonly delaysS: readonly number[];
  readonly clock: () => Date;
  readonly random: () => number;
};

export const attemptDelivery = ({ webhooks, deliveries, send, keys, delaysS, clock, random }: Parts) => {
  const secretOf = ({ ownerId, sealedSecret }: Webhook): string | null => {
    try {
      return keys ? unseal(keys, secretContext(ownerId), sealedSecret) : null;
    } catch {
      return null;
    }
  };

  const attempt = async (
    webhook: Webhook,
    { messageId, body, asked }: Claimed,
    signal: AbortSignal,
  ): Promise<Answer> => {
    if (webhook.disabled && !asked) return { error: 'webhook_disabled' };
    const secret = secretOf(webhook);
    if (secret === null) return { error: 'secret_unreadable' };
    const now = clock();
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      'webhook-id': messageId,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
      'webhook-signature': new Signer(secret).sign(messageId, now, body),
    };
    return await send({ url: webhook.url, body, headers }, signal);
  };

  const next = (claimed: Claimed, answer: Answer, now: Date): Next => {
    const error = errorOf(answer);
    if (error === null) return { state: 'delivered' };
    const isFinal = error === 'webhook_disabled' || ('status' in answer && answer.status === GONE);
    const retryAfterMs = 'status' in answer ? answer.retryAfterMs : 0;
    const delayMs = isFinal ? null : nextDelayMs(claimed.tries, { delaysS, retryAfterMs, random });
    return delayMs === null
      ? { state: 'failed' }
      : { state: 'pending', at: new Date(now.getTime() + delayMs) };
  };

  const disable = async (id: string, reason: 'gone' | 'failing', now: Date) => {
    await webhooks.disable(id, reason, now);
    await deliveries.failPendingOf(id);
  };

  /** Whether anything has arrived since the delivery was made. */
  const isFailing = async ({ webhookId, createdAt }: Claimed) => {
    const webhook = await webhooks.get(webhookId);
    return webhook !== null && (webhook.lastSuccessAt === null || webhook.lastSuccessAt < createdAt);
  };

  return async (claimed: Claimed, signal: AbortSignal): Promise<void> => {
    const webhook = await webhooks.get(claimed.webhookId);
    if (!webhook) return await deliveries.removeOf(claimed.webhookId);
    const startedAt = clock();
    let answer: Answer;
    try {
      answer = await attempt(webhook, claimed, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      return await deliveries.giveBack(claimed, clock());
    }
    const now = clock();
    const after = next(claimed, answer, now);
    const status = 'status' in answer ? answer.status : null;
    const durationMs = now.getTime() - startedAt.getTime();
    await deliveries.settle(claimed, { at: startedAt, durationMs, status, error: errorOf(answer) }, after);
    if (after.state === 'delivered') await webhooks.succeeded(webhook.id, now);
    else if (status === GONE) await disable(webhook.id, 'gone', now);
    else if (after.state === 'failed' && !claimed.asked && (await isFailing(claimed)))
      await disable(webhook.id, 'failing', now);
  };
};
