import { commonEnv, flag, integer, mongoEnv, natsEnv, port, readEnv } from '@esl/kit/env';
import { sealKeys } from '@esl/kit/seal';
import { storageEnv } from '@esl/kit/storage-env';
import { z } from 'zod';
import { jwtKeys } from './accounts/signing-keys.ts';
import { duration } from './duration.ts';

/** Shorter secrets could be guessed from one signed link. */
const MIN_SECRET_LENGTH = 32;
const DAY_MS = 86_400_000;

const environment = z
  .object({
    ...commonEnv,
    ...natsEnv,
    ...mongoEnv,
    PORT: port(8080),
    /** Where clients reach the gateway; links start with it. Unset: http://127.0.0.1:<the port>. */
    PUBLIC_URL: z
      .url({ protocol: /^https?$/ })
      .transform((url) => url.replace(/\/+$/, ''))
      .optional(),
    LESSONS_DIR: z.string().default('./lessons'),
    ...storageEnv,
    /** Signs links to files. Unset, links die with the process. */
    LINK_SECRET: z
      .string()
      .min(MIN_SECRET_LENGTH, `must have at least ${MIN_SECRET_LENGTH} characters`)
      .optional(),
    JOBS_ADDR: z.string().default('127.0.0.1:50051'),
    ACTIONS_ADDR: z.string().default('127.0.0.1:50052'),
    CONFIG_ADDR: z.string().default('127.0.0.1:50053'),
    LESSONS_ADDR: z.string().default('127.0.0.1:50054'),
    /** How long one call to another service may take, its retries included, in ms. */
    RPC_DEADLINE_MS: integer(5_000, { min: 100, max: 60_000 }),
    /** The largest lesson, in bytes. */
    MAX_FILE_SIZE: integer(10 * 1024 * 1024, { min: 1, max: 100 * 1024 * 1024 }),
    /** How long a request waits for the answer of another one with its Idempotency-Key before it is told so, in ms. */
    IDEMPOTENCY_WAIT_MS: integer(10_000, { min: 0, max: 60_000 }),
    /** Event streams open at once; one more is answered 503. */
    SSE_MAX_CONNECTIONS: integer(10_000, { min: 1 }),
    /** How long an event stream stays silent before a heartbeat, in ms. */
    SSE_HEARTBEAT_MS: integer(25_000, { min: 100 }),
    /** How long a full event stream may take to read on before it is closed, in ms. */
    SSE_STALL_MS: integer(10_000, { min: 100 }),
    /**
     * How long a stopping gateway goes on answering, and asks its clients to come back on another connection, in ms.
     * Without it a request on a connection that was kept open may meet its end. Nothing else needs it on one machine.
     */
    HTTP_DRAIN_MS: integer(0, { max: 10_000 }),
    BATCH_BACKEND_ENABLE_EXTENDED_API: flag(true),
    /** Signs access tokens: a JSON Web Key Set, made by `npm run keys`. Unset, sessions die with the process. */
    JWT_KEYS: jwtKeys.optional(),
    JWT_EXPIRES_IN: duration('15m', { minMs: 1_000, maxMs: DAY_MS }),
    REFRESH_TOKEN_EXPIRES_IN: duration('7d', { minMs: 1_000, maxMs: 400 * DAY_MS }),
    /** Seals users' own keys for providers. Unset, users cannot keep any. */
    SECRETS_KEYS: sealKeys.optional(),
    /** Whether browsers may keep their tokens in cookies. */
    AUTH_COOKIES: flag(false),
    /** Wrong passwords for one account, and from one address, in AUTH_FAILURE_WINDOW. */
    AUTH_FAILURE_LIMIT: integer(10, { min: 1 }),
    AUTH_FAILURE_ADDRESS_LIMIT: integer(200, { min: 1 }),
    AUTH_FAILURE_WINDOW: duration('15m', { minMs: 1_000, maxMs: DAY_MS }),
    /** New accounts from one address in an hour. */
    REGISTRATION_RATE_LIMIT: integer(500, { min: 1 }),
    /** Uploads of one user in a minute, and at once. */
    UPLOAD_RATE_LIMIT: integer(10, { min: 1 }),
    UPLOAD_BURST_LIMIT: integer(20, { min: 1 }),
    /** What one user's uploads may come to, in bytes. */
    UPLOAD_QUOTA_PER_USER: integer(100 * 1024 * 1024, { min: 1 }),
    /** Submissions of one user in a minute; 0: as many as they like. */
    JOB_SUBMISSION_RATE_LIMIT: integer(0),
    ENABLE_RATE_LIMITING: flag(true),
    /** Proxies whose X-Forwarded-For is believed: how many, or their addresses and networks, comma-separated. */
    TRUST_PROXY: z
      .string()
      .transform((text) => (/^\d{1,2}$/.test(text) ? Number(text) : text))
      .default(0),
    ENABLE_CORS: flag(false),
    CORS_ORIGIN: z
      .string()
      .transform((list) => list.split(',').map((origin) => origin.trim()))
      .pipe(z.array(z.union([z.literal('*'), z.string().regex(/^https?:\/\/[^/\s]+$/)])))
      .default([]),
    CORS_CREDENTIALS: flag(false),
    /** In seconds; 0 tells browsers to forget. */
    HSTS_MAX_AGE: integer(31_536_000),
  })
  .superRefine((env, context) => {
    const fault = (name: string, message: string) =>
      context.addIssue({ code: 'custom', path: [name], message });
    if (env.NODE_ENV === 'production') {
      if (!env.LINK_SECRET)
        fault('LINK_SECRET', `is needed in production, with at least ${MIN_SECRET_LENGTH} characters`);
      if (env.BATCH_BACKEND_ENABLE_EXTENDED_API) {
        if (!env.JWT_KEYS) fault('JWT_KEYS', 'is needed in production (npm run keys makes them)');
        if (!env.SECRETS_KEYS) fault('SECRETS_KEYS', 'is needed in production');
      }
    }
    if (env.ENABLE_CORS && env.CORS_ORIGIN.length === 0) fault('CORS_ORIGIN', 'is needed with ENABLE_CORS');
    if (env.CORS_CREDENTIALS && env.CORS_ORIGIN.includes('*'))
      fault('CORS_ORIGIN', 'must name origins when CORS_CREDENTIALS is on');
  });

/** `BATCH_BACKEND_HTTP_PORT` is the older name of `PORT`. */
export const loadConfig = (env: NodeJS.ProcessEnv) =>
  readEnv(environment, { ...env, PORT: env.PORT || env.BATCH_BACKEND_HTTP_PORT });

export type Config = ReturnType<typeof loadConfig>;
