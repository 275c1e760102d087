import { z } from 'zod';
import { pageQuerySchema } from './page.ts';
import { JOB_PRIORITIES, MODES, shortText, UPLOAD_OPTIONS } from './submit-job.ts';

const time = z.iso.datetime({ precision: 3 }).describe('UTC, with milliseconds');

export const JOB_STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

export const STEP_STATES = ['pending', 'running', 'succeeded', 'skipped', 'failed', 'cancelled'] as const;

export const stepSchema = z
  .object({
    name: z.string(),
    state: z.enum(STEP_STATES),
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
    detail: z.string().nullable(),
  })
  .meta({ id: 'Step' });

export const findingSchema = z
  .object({
    code: z.string(),
    severity: z.enum(['error', 'warning']),
    message: z.string(),
    line: z.int().min(0).describe('Line of the lesson file, from 1'),
    path: z.string().nullable().describe('Front-matter key'),
  })
  .meta({ id: 'Finding' });

export const narrationSchema = z
  .object({
    engine: z.string().describe('elevenlabs or local'),
    mode: z.string().describe('dialogue or monologue'),
    characters: z.int().min(0).describe('Of all that is said'),
    billedCharacters: z.int().min(0).describe('That a paid provider counted, over all attempts'),
    durationMs: z.int().min(0).describe('0 until it is done'),
    cast: z.array(
      z.object({ speaker: z.string(), voiceId: z.string(), voiceName: z.string(), source: z.string() }),
    ),
  })
  .meta({ id: 'Narration' });

/** A job as clients see it, over HTTP and in every job event alike. Absent values are null. */
export const jobSchema = z
  .object({
    jobId: z.uuid(),
    md: z.string(),
    preset: z.string().nullable(),
    withTts: z.boolean(),
    voiceId: z.string().nullable(),
    upload: z.enum(UPLOAD_OPTIONS).nullable(),
    voiceAccent: z.string().nullable(),
    forceTts: z.boolean().nullable(),
    notionDatabase: z.string().nullable(),
    mode: z.enum(MODES).nullable(),
    notionUrl: z.string().nullable().describe('The published page, wherever it is'),
    state: z.enum(JOB_STATES),
    createdAt: time,
    updatedAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
    error: z.string().nullable().describe('One sentence for people'),
    manifestPath: z.string().nullable(),
    parentJobId: z.uuid().nullable(),
    batchId: z.uuid().nullable(),
    priority: z.enum(JOB_PRIORITIES),
    runAt: time.nullable().describe('The earliest time it may start'),
    title: z.string().nullable().describe('Of the lesson, once it has been read'),
    student: z.string().nullable(),
    level: z.string().nullable(),
    topic: z.string().nullable(),
    attempt: z.int().min(0),
    errorCode: z.string().nullable(),
    errorStep: z.string().nullable().describe('The step that failed'),
    cancelReason: z.string().nullable(),
    retryAt: time.nullable().describe('When the next attempt may begin'),
    pageUrl: z.string().nullable(),
    audioUrl: z.string().nullable(),
    progress: z.object({ step: z.string(), done: z.int(), total: z.int() }).nullable(),
    steps: z.array(stepSchema),
    warnings: z.array(z.object({ code: z.string(), message: z.string() })),
    findings: z.array(findingSchema),
    narration: narrationSchema.nullable().describe('Known once its voices are cast'),
    links: z.object({
      self: z.string(),
      page: z.string().nullable(),
      audio: z.string().nullable(),
      manifest: z.string().nullable(),
      transcript: z.string().nullable().describe('What is said by whom and when, as WebVTT'),
    }),
  })
  .meta({ id: 'Job' });
export type Job = z.infer<typeof jobSchema>;

export const jobListSchema = z
  .object({ jobs: z.array(jobSchema), nextCursor: z.string().nullable(), total: z.int() })
  .meta({ id: 'JobList' });
export type JobList = z.infer<typeof jobListSchema>;

export const JOB_SORTS = ['-createdAt', 'createdAt', '-updatedAt', 'updatedAt'] as const;

const queryTime = z.iso.datetime({ offset: true }).optional();

/** Query of `GET /jobs`. Every value arrives as one string. */
export const listJobsQuerySchema = pageQuerySchema.extend({
  sort: z.enum(JOB_SORTS).optional(),
  state: z
    .string()
    .transform((list) => list.split(','))
    .pipe(z.array(z.enum(JOB_STATES)).min(1).max(5))
    .optional(),
  preset: z.string().min(1).max(1024).optional(),
  mode: z.enum(MODES).optional(),
  notionDatabase: z.string().min(1).max(1024).optional(),
  parentJobId: z.uuid().optional(),
  batchId: z.uuid().optional(),
  priority: z.enum(JOB_PRIORITIES).optional(),
  q: shortText.optional().describe('Words of title, student, topic and file name'),
  createdFrom: queryTime,
  createdTo: queryTime,
  finishedFrom: queryTime,
  finishedTo: queryTime,
  hasError: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
});
export type ListJobsQuery = z.infer<typeof listJobsQuerySchema>;
