import { randomUUID } from 'node:crypto';
import { commonEnv, flag, integer, natsEnv, port, readEnv } from '@esl/kit/env';
import { sealKeys } from '@esl/kit/seal';
import { storageEnv } from '@esl/kit/storage-env';
import { z } from 'zod';
import { elevenLabsEnv } from './narration/elevenlabs/environment.ts';
import { notionEnv } from './publisher/notion/environment.ts';

const environment = z
  .object({
    ...commonEnv,
    ...natsEnv,
    GRPC_PORT: port(50_054),
    JOBS_ADDR: z.string().default('127.0.0.1:50051'),
    CONFIG_ADDR: z.string().default('127.0.0.1:50053'),
    ...storageEnv,
    /** Runs at once in this process. */
    WORKER_CONCURRENCY: integer(5, { min: 1, max: 100 }),
    /** Must differ between processes: the lease is held in this name. */
    WORKER_ID: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,100}$/)
      .default(() => `worker-${randomUUID()}`),
    /** At most a third of the jobs service's JOB_LEASE_MS, so that two lost renewals cost no run. */
    LEASE_RENEW_MS: integer(5_000, { min: 100, max: 200_000 }),
    ...elevenLabsEnv,
    ...notionEnv,
    /** Opens the keys of owners' own accounts. */
    SECRETS_KEYS: sealKeys.optional(),
    BATCH_BACKEND_ENABLE_EXTENDED_API: flag(true),
  })
  .refine(
    (env) => env.NODE_ENV !== 'production' || !env.BATCH_BACKEND_ENABLE_EXTENDED_API || env.SECRETS_KEYS,
    { path: ['SECRETS_KEYS'], message: 'is needed in production, unless the extended API is off' },
  );

export const loadConfig = (env: NodeJS.ProcessEnv) => readEnv(environment, env);

export type Config = ReturnType<typeof loadConfig>;
