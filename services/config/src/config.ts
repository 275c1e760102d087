import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commonEnv, integer, mongoEnv, natsEnv, port, readEnv } from '@esl/kit/env';
import { MODES } from '@esl-pipeline/contracts/http/submit-job';
import { z } from 'zod';
import type { Narrator } from './domain/catalog.ts';
import { type NotionSettings, parseDatabaseOptions } from './domain/notion-databases.ts';
import type { RemoteSettings } from './outbound/remote-source.ts';

/** The catalog that comes with the project. */
const SHIPPED = fileURLToPath(new URL('../../../configs/', import.meta.url));

/** A secret of which this service needs only to know that it is there. */
const isSet = z
  .string()
  .transform((secret) => secret.trim() !== '')
  .default(false);
const optional = z.string().trim().optional();

const environment = z
  .object({
    ...commonEnv,
    ...natsEnv,
    ...mongoEnv,
    GRPC_PORT: port(50_053),
    PIPELINE_CWD: z.string().optional(),
    ESL_PIPELINE_CONFIG_DIR: z.string().optional(),
    ESL_PIPELINE_CONFIG_PROVIDER: z.enum(['local', 'http', 'remote']).default('local'),
    ESL_PIPELINE_CONFIG_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
    ESL_PIPELINE_CONFIG_TOKEN: optional,
    ESL_PIPELINE_CONFIG_PRESETS_PATH: z.string().default('/presets.json'),
    ESL_PIPELINE_CONFIG_STUDENTS_PATH: z.string().default('/students.json'),
    ESL_PIPELINE_CONFIG_VOICES_PATH: z.string().default('/voices.yml'),
    ESL_PIPELINE_CONFIG_POLL_MS: integer(10_000, { min: 100, max: 86_400_000 }),
    ELEVENLABS_VOICES_PATH: z.string().optional(),
    ELEVENLABS_API_KEY: optional,
    ELEVENLABS_API_TOKEN: optional,
    ELEVENLABS_BASE_URL: z.url({ protocol: /^https?$/ }).default('https://api.elevenlabs.io'),
    /** How often the account's voices are read; 0: never. */
    ELEVENLABS_VOICES_SYNC_MS: integer(21_600_000, { max: 7 * 86_400_000 }),
    ELEVENLABS_TTS_MODE: z.enum(MODES).default('auto'),
    NOTION_TOKEN: isSet,
    NOTION_DB_OPTIONS: z.string().transform(parseDatabaseOptions).default([]),
    NOTION_DATABASE_ID: optional,
    NOTION_DB_ID: optional,
    NOTION_DB_NAME: optional,
    NOTION_DB_LABEL: optional,
  })
  .refine((env) => env.ESL_PIPELINE_CONFIG_PROVIDER === 'local' || env.ESL_PIPELINE_CONFIG_ENDPOINT, {
    path: ['ESL_PIPELINE_CONFIG_ENDPOINT'],
    message: 'is needed for a remote provider',
  });

export type VoiceSyncSettings = {
  readonly apiKey: string;
  readonly baseUrl: string;
  readonly everyMs: number;
};

type Env = z.infer<typeof environment>;

const notionOf = (env: Env): NotionSettings => {
  const id = env.NOTION_DATABASE_ID || env.NOTION_DB_ID;
  const name = env.NOTION_DB_NAME || env.NOTION_DB_LABEL || 'Primary database';
  return {
    hasToken: env.NOTION_TOKEN,
    options: env.NOTION_DB_OPTIONS,
    defaultDatabase: id ? { id, name } : null,
  };
};

const remoteOf = (env: Env): RemoteSettings | null =>
  env.ESL_PIPELINE_CONFIG_PROVIDER !== 'local' && env.ESL_PIPELINE_CONFIG_ENDPOINT
    ? {
        endpoint: env.ESL_PIPELINE_CONFIG_ENDPOINT,
        token: env.ESL_PIPELINE_CONFIG_TOKEN || null,
        paths: {
          presets: env.ESL_PIPELINE_CONFIG_PRESETS_PATH,
          students: env.ESL_PIPELINE_CONFIG_STUDENTS_PATH,
          voiceMap: env.ESL_PIPELINE_CONFIG_VOICES_PATH,
        },
      }
    : null;

/** Where ElevenLabs' voices are listed, best first. */
const voicesPathsOf = (env: Env, folder: string, base: string): readonly [string, ...string[]] =>
  env.ELEVENLABS_VOICES_PATH
    ? [resolve(base, env.ELEVENLABS_VOICES_PATH)]
    : [join(folder, 'elevenlabs.voices.json'), join(SHIPPED, 'elevenlabs.voices.json')];

/** The account whose voices are read; null when there is none, or when a file was named instead. */
const voiceSyncOf = (env: Env, apiKey: string | null): VoiceSyncSettings | null =>
  apiKey && !env.ELEVENLABS_VOICES_PATH && env.ELEVENLABS_VOICES_SYNC_MS > 0
    ? { apiKey, baseUrl: env.ELEVENLABS_BASE_URL, everyMs: env.ELEVENLABS_VOICES_SYNC_MS }
    : null;

export const loadConfig = (processEnv: NodeJS.ProcessEnv) => {
  const env = readEnv(environment, processEnv);
  const base = env.PIPELINE_CWD ?? process.cwd();
  const folder = env.ESL_PIPELINE_CONFIG_DIR ? resolve(base, env.ESL_PIPELINE_CONFIG_DIR) : SHIPPED;
  const elevenLabsKey = env.ELEVENLABS_API_KEY || env.ELEVENLABS_API_TOKEN || null;
  const { LOG_LEVEL, BIND_HOST, ADMIN_PORT, EXIT_WITH_PARENT, GRPC_PORT } = env;
  const { NATS_URL, MONGODB_URL, MONGODB_DB } = env;
  return Object.freeze({
    LOG_LEVEL,
    BIND_HOST,
    ADMIN_PORT,
    EXIT_WITH_PARENT,
    NATS_URL,
    MONGODB_URL,
    MONGODB_DB,
    GRPC_PORT,
    folder,
    remote: remoteOf(env),
    /** Of the system's own accounts. */
    narrator: (elevenLabsKey ? 'elevenlabs' : 'local') satisfies Narrator as Narrator,
    voicesPaths: voicesPathsOf(env, folder, base),
    /** The local narrator's voices are part of the worker's code: only the shipped list can be right about them. */
    localVoicesPath: join(SHIPPED, 'local.voices.json'),
    voiceSync: voiceSyncOf(env, elevenLabsKey),
    pollMs: env.ESL_PIPELINE_CONFIG_POLL_MS,
    notion: notionOf(env),
    /** Of jobs that say nothing and whose owner has no settings. */
    defaultMode: env.ELEVENLABS_TTS_MODE,
  });
};
export type Config = ReturnType<typeof loadConfig>;
