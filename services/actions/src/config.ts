import { commonEnv, mongoEnv, port, readEnv } from '@esl/kit/env';
import { z } from 'zod';

const environment = z.object({
  ...commonEnv,
  ...mongoEnv,
  GRPC_PORT: port(50_052),
  JOBS_ADDR: z.string().default('127.0.0.1:50051'),
  CONFIG_ADDR: z.string().default('127.0.0.1:50053'),
});

export const loadConfig = (env: NodeJS.ProcessEnv) => readEnv(environment, env);
export type Config = ReturnType<typeof loadConfig>;
