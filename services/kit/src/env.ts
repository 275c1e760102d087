import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** The environment is not what the service needs. The message names every faulty variable, never a value. */
export class InvalidEnvironment extends Error {
  override name = 'InvalidEnvironment';
}

/** What `<NAME>_FILE` points to, as orchestrators mount secrets; the file's last line break is not part of it. */
const readMounted = (name: string, file: string): string => {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new InvalidEnvironment(`the environment has faults:\n  ${name}_FILE: cannot be read`, {
      cause: error,
    });
  }
};

/**
 * Reads the environment through a schema. An empty variable counts as unset, and any variable may instead be a file
 * named by `<NAME>_FILE`.
 */
export const readEnv = <S extends z.ZodObject>(schema: S, env: NodeJS.ProcessEnv): Readonly<z.infer<S>> => {
  const set: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const file = env[`${name}_FILE`];
    const value = env[name] || (file && readMounted(name, file));
    if (value) set[name] = value;
  }
  const result = schema.safeParse(set);
  if (result.success) return Object.freeze(result.data);
  const faults = result.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new InvalidEnvironment(`the environment has faults:\n${faults.join('\n')}`);
};

/** `1` or `true` in any case is true, every other text is false. */
export const flag = (fallback: boolean) =>
  z
    .string()
    .transform((text) => /^(1|true)$/i.test(text))
    .default(fallback);

export const integer = (fallback: number, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}) =>
  z
    .string()
    .regex(/^-?\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .default(fallback);

export const port = (fallback: number) => integer(fallback, { min: 0, max: 65_535 });

/** What every service reads. */
export const commonEnv = {
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  BIND_HOST: z.string().default('0.0.0.0'),
  ADMIN_PORT: port(9090),
  EXIT_WITH_PARENT: flag(false),
} as const;

export const natsEnv = {
  NATS_URL: z.string().default('nats://127.0.0.1:4222'),
  NATS_REPLICAS: integer(1, { min: 1, max: 5 }),
  /** How much a stream of facts may hold before its oldest go, in bytes; -1: whatever the server has room for. */
  NATS_FACTS_MAX_BYTES: integer(-1, { min: -1 }),
} as const;

export const mongoEnv = {
  MONGODB_URL: z.string().default('mongodb://127.0.0.1:27017/?replicaSet=rs0'),
  MONGODB_DB: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,63}$/)
    .default('esl'),
} as const;
