import { randomBytes } from 'node:crypto';
import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { type SealKeys, seal, unseal } from '@esl/kit/seal';
import { WEBHOOK_EVENT_TYPES, type WebhookEventType } from '@esl-pipeline/contracts/http/webhooks';
import { validate as isUuid } from 'uuid';
import { isPublicAddress } from '../domain/public-address.ts';
import type { Webhook, WebhookRefusal } from '../domain/webhook.ts';
import { hostOf, isAddress, readWebhookUrl } from '../domain/webhook-url.ts';
import type { DeliveryStore, Resolve, WebhookStore } from './webhook-needs.ts';

export const MAX_WEBHOOKS = 20;
const SECRET_BYTES = 32;
/** How long a new address's name may take to be looked up, in ms. */
const LOOKUP_MS = 2_000;

/** What a webhook's secret is bound to when it is sealed. */
export const secretContext = (ownerId: string) => ({ ownerId, purpose: 'webhook_secret' });

export const webhookNotFound = () => refuse('webhook_not_found', 'There is no such webhook.');

type Wish = {
  readonly id: string;
  readonly ownerId: string;
  readonly url: string;
  readonly events: readonly string[];
};

const isEventType = (text: string): text is WebhookEventType =>
  (WEBHOOK_EVENT_TYPES as readonly string[]).includes(text);

const readEvents = (events: readonly string[]): Outcome<WebhookEventType[], 'invalid_webhook_events'> => {
  const known = [...new Set(events)].filter(isEventType);
  return known.length > 0 && events.every(isEventType)
    ? accept(known)
    : refuse('invalid_webhook_events', `A webhook asks for some of: ${WEBHOOK_EVENT_TYPES.join(', ')}.`);
};

/** Makes a webhook and its secret; the same call once more answers the same. */
export const createWebhook =
  ({
    webhooks,
    resolve,
    keys,
    allowPrivate,
    clock,
  }: {
    readonly webhooks: WebhookStore;
    readonly resolve: Resolve;
    readonly keys: SealKeys | undefined;
    readonly allowPrivate: boolean;
    readonly clock: () => Date;
  }) =>
  async (
    { id, ownerId, url: wantedUrl, events: wantedEvents }: Wish,
    signal: AbortSignal,
  ): Promise<Outcome<{ readonly webhook: Webhook; readonly secret: string }, WebhookRefusal>> => {
    if (!isUuid(id)) return refuse('invalid_webhook_id', 'The id must be a UUID.');
    if (!keys) return refuse('webhooks_not_configured', 'This system has no key to keep a secret with.');
    const url = readWebhookUrl(wantedUrl, { allowPrivate });
    if (!url.ok) return url;
    const events = readEvents(wantedEvents);
    if (!events.ok) return events;
    const host = hostOf(url.value);
    if (!allowPrivate && !isAddress(host)) {
      const lookup = AbortSignal.any([signal, AbortSignal.timeout(LOOKUP_MS)]);
      const addresses = await resolve(host, lookup).catch(() => []);
      if (!addresses.every(isPublicAddress))
        return refuse('invalid_webhook_url', 'The address must be reachable from the internet.');
    }
    const secret = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
    const kept = await webhooks.add(
      {
        id,
        ownerId,
        url: url.value.href,
        events: events.value,
        sealedSecret: seal(keys, secretContext(ownerId), secret),
        createdAt: clock(),
        disabled: null,
        lastSuccessAt: null,
      },
      MAX_WEBHOOKS,
    );
    if (!kept.ok) return kept;
    if (kept.value.ownerId !== ownerId) return refuse('invalid_webhook_id', 'The id is taken.');
    return accept({
      webhook: kept.value,
      secret: unseal(keys, secretContext(ownerId), kept.value.sealedSecret),
    });
  };

/** Forgets a webhook first and its deliveries after: what is left by a crash in between expires by itself. */
export const deleteWebhook =
  ({ webhooks, deliveries }: { readonly webhooks: WebhookStore; readonly deliveries: DeliveryStore }) =>
  async (ownerId: string, id: string): Promise<Outcome<null, 'webhook_not_found'>> => {
    const webhook = await webhooks.find(ownerId, id);
    if (!webhook) return webhookNotFound();
    await webhooks.remove(id);
    await deliveries.removeOf(id);
    return accept(null);
  };
