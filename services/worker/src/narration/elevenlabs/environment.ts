import { integer } from '@esl/kit/env';
import { z } from 'zod';
import { DEFAULT_MODEL } from './models.ts';
import type { OutputRate, VoiceSettings } from './requests.ts';

const number = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'must be a number')
    .transform(Number)
    .pipe(z.number().min(min).max(max));

const RATES: readonly OutputRate[] = [16_000, 22_050, 24_000, 44_100];
/** What every plan may ask for, and enough for speech. */
const DEFAULT_RATE: OutputRate = 24_000;
const MAX_SEED = 4_294_967_295;

/** What the worker reads about ElevenLabs. */
export const elevenLabsEnv = {
  ELEVENLABS_API_KEY: z.string().optional(),
  ELEVENLABS_API_TOKEN: z.string().optional(),
  ELEVENLABS_BASE_URL: z.url({ protocol: /^https?$/ }).default('https://api.elevenlabs.io'),
  ELEVENLABS_MODEL_ID: z
    .string()
    .regex(/^[a-z0-9_]{1,64}$/)
    .default(DEFAULT_MODEL),
  /** Requests at once for one key in this process. */
  ELEVENLABS_CONCURRENCY: integer(3, { min: 1, max: 50 }),
  /**
   * ElevenLabs is asked for samples, and the MP3 is made here: of the formats that may stand here only `pcm_…` has an
   * effect, as the sample rate.
   */
  ELEVENLABS_OUTPUT_FORMAT: z
    .string()
    .regex(/^(pcm|mp3|wav|opus|ulaw|alaw)_\d+(_\d+)?$/, 'must be a format such as pcm_24000')
    .default(`pcm_${DEFAULT_RATE}`),
  ELEVENLABS_DIALOGUE_LANGUAGE: z
    .string()
    .regex(/^[a-z]{2}$/, 'must be two letters')
    .optional(),
  ELEVENLABS_DIALOGUE_STABILITY: number(0, 1).optional(),
  ELEVENLABS_DIALOGUE_SEED: number(0, MAX_SEED).pipe(z.int()).optional(),
  /** Silence at the end of a narration, in seconds. */
  ELEVENLABS_SILENCE_TAIL_SECONDS: number(0, 60)
    .transform((seconds) => Math.min(10, Math.max(0.3, seconds)))
    .default(0.4),
} as const;

export type ElevenLabsEnv = z.infer<z.ZodObject<typeof elevenLabsEnv>>;

export const voiceSettingsOf = (env: ElevenLabsEnv): VoiceSettings => ({
  modelId: env.ELEVENLABS_MODEL_ID,
  outputRate: RATES.find((rate) => env.ELEVENLABS_OUTPUT_FORMAT === `pcm_${rate}`) ?? DEFAULT_RATE,
  tailMs: Math.round(env.ELEVENLABS_SILENCE_TAIL_SECONDS * 1_000),
  language: env.ELEVENLABS_DIALOGUE_LANGUAGE ?? null,
  stability: env.ELEVENLABS_DIALOGUE_STABILITY ?? null,
  seed: env.ELEVENLABS_DIALOGUE_SEED ?? null,
});

/** The key of the system's own account, for owners without one. */
export const systemKeyOf = (env: ElevenLabsEnv): string | null =>
  env.ELEVENLABS_API_KEY ?? env.ELEVENLABS_API_TOKEN ?? null;
