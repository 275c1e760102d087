import { commonEnv, flag, integer, mongoEnv, natsEnv, port, readEnv } from '@esl/kit/env';
import { sealKeys } from '@esl/kit/seal';
import { z } from 'zod';
import { RETRY_DELAYS_S } from './domain/retry-schedule.ts';

/** Shorter ones could be guessed from one signed link. */
const MIN_SECRET_LENGTH = 32;

const environment = z.object({
  ...commonEnv,
  ...mongoEnv,
  ...natsEnv,
  GRPC_PORT: port(50_052),
  JOBS_ADDR: z.string().default('127.0.0.1:50051'),
  CONFIG_ADDR: z.string().default('127.0.0.1:50053'),
  /** Keeps the secrets of webhooks. Unset: no webhook can be made. */
  SECRETS_KEYS: sealKeys.optional(),
  /** Where clients reach the gateway; links in what webhooks receive start with it. */
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .transform((url) => url.replace(/\/+$/, ''))
    .default('http://127.0.0.1:8080'),
  /** The gateway's. Unset: webhooks receive no links to files. */
  LINK_SECRET: z.string().min(MIN_SECRET_LENGTH).optional(),
  /** Also calls private addresses, and over plain http: for one machine, and for networks of one's own. */
  WEBHOOK_ALLOW_PRIVATE: flag(false),
  /** How long a receiver may take to answer, in ms. */
  WEBHOOK_TIMEOUT_MS: integer(15_000, { min: 100, max: 60_000 }),
  /** Deliveries under way at once in this process, and for one webhook. */
  WEBHOOK_CONCURRENCY: integer(50, { min: 1, max: 1_000 }),
  WEBHOOK_CONCURRENCY_OF_ONE: integer(5, { min: 1, max: 100 }),
  /** Waits after each failed attempt, in seconds, separated by commas. */
  WEBHOOK_RETRY_S: z
    .string()
    .regex(/^\d{1,6}(,\d{1,6}){0,14}$/, 'must be up to 15 whole numbers, separated by commas')
    .transform((list) => list.split(',').map(Number))
    .default([...RETRY_DELAYS_S]),
});

export const loadConfig = (env: NodeJS.ProcessEnv) => readEnv(environment, env);
export type Config = ReturnType<typeof loadConfig>;
