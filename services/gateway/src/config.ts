import { commonEnv, flag, integer, mongoEnv, natsEnv, port, readEnv } from '@esl/kit/env';
import { storageEnv } from '@esl/kit/storage-env';
import { z } from 'zod';

/** Shorter secrets could be guessed from one signed link. */
const MIN_SECRET_LENGTH = 32;

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
  })
  .refine(({ NODE_ENV, LINK_SECRET }) => NODE_ENV !== 'production' || LINK_SECRET !== undefined, {
    path: ['LINK_SECRET'],
    message: `is needed in production, with at least ${MIN_SECRET_LENGTH} characters`,
  });

/** `BATCH_BACKEND_HTTP_PORT` is the older name of `PORT`. */
export const loadConfig = (env: NodeJS.ProcessEnv) =>
  readEnv(environment, { ...env, PORT: env.PORT || env.BATCH_BACKEND_HTTP_PORT });

export type Config = ReturnType<typeof loadConfig>;
