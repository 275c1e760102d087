import { commonEnv, integer, mongoEnv, natsEnv, port, readEnv } from '@esl/kit/env';
import { z } from 'zod';

const environment = z.object({
  ...commonEnv,
  ...natsEnv,
  ...mongoEnv,
  GRPC_PORT: port(50_051),
  JOB_LEASE_MS: integer(15_000, { min: 1_000, max: 600_000 }),
});

export const loadConfig = (env: NodeJS.ProcessEnv) => readEnv(environment, env);

export type Config = ReturnType<typeof loadConfig>;
