import { z } from 'zod';
import { BATCH_EVENT_TYPES, JOB_EVENT_TYPES } from './job-events.ts';

const time = z.iso.datetime({ precision: 3 }).describe('UTC, with milliseconds');

/** What a webhook may ask for: the events of the event stream, under the same names. */
export const WEBHOOK_EVENT_TYPES = [...JOB_EVENT_TYPES, ...BATCH_EVENT_TYPES] as const;
export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number];

export const MAX_WEBHOOK_URL_LENGTH = 2_048;

/** Body of `POST /user/webhooks`. Where an address may lead is checked by the service that calls it. */
export const createWebhookSchema = z
  .object({
    url: z
      .string()
      .min(1)
      .max(MAX_WEBHOOK_URL_LENGTH, 'must be at most 2,048 characters')
      .describe('https, and no private address'),
    events: z.array(z.enum(WEBHOOK_EVENT_TYPES)).min(1, 'must name at least one event').max(20),
  })
  .meta({ id: 'CreateWebhook' });

/** The stable code of a bad field in `POST /user/webhooks`. */
export const CREATE_WEBHOOK_CODES = {
  url: 'invalid_webhook_url',
  events: 'invalid_webhook_events',
} as const;

export const webhookSchema = z
  .object({
    id: z.uuid(),
    url: z.string(),
    events: z.array(z.enum(WEBHOOK_EVENT_TYPES)),
    createdAt: time,
    disabledAt: time.nullable().describe('Since when nothing is sent there by itself'),
    disabledReason: z
      .enum(['gone', 'failing'])
      .nullable()
      .describe('It answered 410, or nothing arrived for as long as is tried'),
    lastSuccessAt: time.nullable(),
  })
  .meta({ id: 'Webhook' });
export type Webhook = z.infer<typeof webhookSchema>;

export const webhookCreatedSchema = webhookSchema
  .extend({ secret: z.string().describe('`whsec_…`; told this once') })
  .meta({ id: 'WebhookCreated' });

export const webhookListSchema = z
  .object({ webhooks: z.array(webhookSchema), total: z.int() })
  .meta({ id: 'WebhookList' });

export const DELIVERY_STATES = ['pending', 'delivered', 'failed'] as const;
export type DeliveryStateWord = (typeof DELIVERY_STATES)[number];

export const webhookDeliverySchema = z
  .object({
    id: z.uuid(),
    messageId: z.string().describe('The header webhook-id, the same in every attempt'),
    event: z.string(),
    state: z.enum(DELIVERY_STATES),
    createdAt: time,
    nextAttemptAt: time.nullable(),
    attempts: z.array(
      z.object({
        at: time,
        durationMs: z.int().min(0),
        status: z.int().nullable().describe('Of HTTP'),
        error: z.string().nullable().describe('Why it did not count'),
      }),
    ),
  })
  .meta({ id: 'WebhookDelivery' });
export type WebhookDelivery = z.infer<typeof webhookDeliverySchema>;

export const webhookDeliveryListSchema = z
  .object({ deliveries: z.array(webhookDeliverySchema), nextCursor: z.string().nullable() })
  .meta({ id: 'WebhookDeliveryList' });

/** What a webhook receives. `data` is what the event stream sends for the same event; of a `test`, its webhook's id. */
export const webhookMessageSchema = z
  .object({
    type: z.enum([...WEBHOOK_EVENT_TYPES, 'test']),
    timestamp: time.describe('When it happened'),
    data: z.looseObject({}),
  })
  .meta({ id: 'WebhookMessage' });
export type WebhookMessage = z.infer<typeof webhookMessageSchema>;
