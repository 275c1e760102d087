import { z } from 'zod';
import { MODES } from './submit-job.ts';

const time = z.iso.datetime({ precision: 3 });

/** The last three are only kept, for an older client. */
export const TTS_PROVIDERS = ['elevenlabs', 'local', 'openai', 'azure', 'google'] as const;

const MIN_KEY = 10;
const MAX_TEXT = 1_024;

/** Visible characters only: what is pasted with a line break would fail at the provider, long after. */
const key = z.union([
  z
    .string()
    .regex(/^\s*$/)
    .transform(() => ''),
  z
    .string()
    .trim()
    .min(MIN_KEY, `must have at least ${MIN_KEY} characters`)
    .max(MAX_TEXT)
    .regex(/^[\x21-\x7e]+$/, 'must be visible characters without spaces'),
]);
const preference = z.string().trim().max(MAX_TEXT, 'must be at most 1,024 characters').nullable().optional();

export const settingsSchema = z
  .object({
    hasElevenLabsKey: z.boolean(),
    hasNotionToken: z.boolean(),
    ttsProvider: z.enum(TTS_PROVIDERS).nullable(),
    defaultPreset: z.string().nullable(),
    defaultVoiceAccent: z.string().nullable(),
    defaultTtsMode: z.enum(MODES).nullable(),
    enableNotifications: z.boolean(),
    createdAt: time.nullable(),
    updatedAt: time.nullable(),
  })
  .meta({ id: 'Settings' });
export type Settings = z.infer<typeof settingsSchema>;
export const settingsAnswerSchema = z.object({ settings: settingsSchema }).meta({ id: 'SettingsAnswer' });

/** What is not named stays. A key that is null or empty is forgotten. */
export const settingsChangeSchema = z
  .object({
    elevenLabsKey: key.nullable().optional(),
    notionToken: key.nullable().optional(),
    ttsProvider: z.enum(TTS_PROVIDERS).nullable().optional(),
    defaultPreset: preference,
    defaultVoiceAccent: preference,
    defaultTtsMode: z.enum(MODES).nullable().optional(),
    enableNotifications: z.boolean().optional(),
  })
  .meta({ id: 'SettingsChange' });
