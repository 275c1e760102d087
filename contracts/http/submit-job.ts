import { z } from 'zod';

/** A label or id that a user types: never blank, at most 1,024 characters. */
export const shortText = z
  .string()
  .max(1024, 'must be at most 1,024 characters')
  .refine((text) => text.trim() !== '', 'must not be blank');

export const UPLOAD_OPTIONS = ['auto', 's3', 'none'] as const;
export const MODES = ['auto', 'dialogue', 'monologue'] as const;
export const JOB_PRIORITIES = ['high', 'normal', 'low'] as const;
export type JobPriority = (typeof JOB_PRIORITIES)[number];

const MAX_AHEAD_MS = 366 * 86_400_000;

/** When a job may start at the earliest. A time in the past is now. */
export const runAtSchema = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 time with its zone' })
  .refine((text) => !(Date.parse(text) > Date.now() + MAX_AHEAD_MS), 'must be at most one year ahead')
  .describe('ISO 8601 with its zone, at most one year ahead');
export const prioritySchema = z.enum(JOB_PRIORITIES).describe('Which of your jobs go first.');

/** Body of `POST /jobs`. Unknown fields are ignored; nothing is coerced. */
export const submitJobSchema = z
  .object({
    md: shortText.describe('The lesson: an upload’s `md`, or a file under the lessons folder.'),
    preset: shortText.optional().describe('Name of a colour preset.'),
    withTts: z.boolean().optional().describe('Narrate the study text. Default false.'),
    upload: z.enum(UPLOAD_OPTIONS).optional().describe('Where the audio goes.'),
    voiceId: shortText.optional().describe('Voice id or name.'),
    voiceAccent: shortText.optional().describe('`accent`, `gender` or `accent_gender`.'),
    forceTts: z.boolean().optional().describe('Speak again even what is cached.'),
    notionDatabase: shortText.optional().describe('Id of the Notion database to publish into.'),
    mode: z.enum(MODES).optional().describe('How the study text is read.'),
    priority: prioritySchema.optional(),
    runAt: runAtSchema.optional(),
  })
  .meta({ id: 'SubmitJob' });
export type SubmitJob = z.infer<typeof submitJobSchema>;

/** The stable code of a bad field in `POST /jobs`. A body that is no JSON object is `invalid_body`. */
export const SUBMIT_JOB_CODES = {
  md: 'md_required',
  preset: 'invalid_preset',
  withTts: 'invalid_with_tts',
  upload: 'invalid_upload',
  voiceId: 'invalid_voice_id',
  voiceAccent: 'invalid_voice_accent',
  forceTts: 'invalid_force_tts',
  notionDatabase: 'invalid_notion_database',
  mode: 'invalid_mode',
  priority: 'invalid_priority',
  runAt: 'invalid_run_at',
} as const satisfies Record<keyof SubmitJob, string>;

/** Answer of `POST /jobs` (202): the job is stored and will end in a final state. */
export const jobAcceptedSchema = z.object({ jobId: z.uuid() }).meta({ id: 'JobAccepted' });
export type JobAccepted = z.infer<typeof jobAcceptedSchema>;
