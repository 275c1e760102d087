import { commonEnv, integer, mongoEnv, natsEnv, port, readEnv } from '@esl/kit/env';
import { z } from 'zod';

const environment = z.object({
  ...commonEnv,
  ...natsEnv,
  ...mongoEnv,
  GRPC_PORT: port(50_051),
  JOB_LEASE_MS: integer(15_000, { min: 1_000, max: 600_000 }),
  /** Jobs of one owner and priority that wait at the workers' door at once; the others wait in the database. */
  JOB_DISPATCH_WINDOW: integer(1, { min: 1, max: 1_000 }),
  /** Jobs that one owner may have running at once; 0: any number. */
  JOB_OWNER_CONCURRENCY: integer(0, { min: 0, max: 10_000 }),
  /** Days after its end when a job is deleted; 0: never. */
  JOB_RETENTION_DAYS: integer(0, { min: 0, max: 36_500 }),
});

export const loadConfig = (env: NodeJS.ProcessEnv) => readEnv(environment, env);

export type Config = ReturnType<typeof loadConfig>;
