import { z } from 'zod';
import { JOB_STATES, STEP_STATES } from './job.ts';
import { prioritySchema, runAtSchema } from './submit-job.ts';

const time = z.iso.datetime({ precision: 3 }).describe('UTC, with milliseconds');

/** Body of `PATCH /jobs/:jobId`: what is not sent stays. */
export const rescheduleJobSchema = z
  .object({ runAt: runAtSchema.optional(), priority: prioritySchema.optional() })
  .meta({ id: 'RescheduleJob' });

/** The stable code of a bad field in `PATCH /jobs/:jobId`. */
export const RESCHEDULE_JOB_CODES = { priority: 'invalid_priority', runAt: 'invalid_run_at' } as const;

export const ATTEMPT_OUTCOMES = ['started', 'failed', 'released', 'succeeded', 'cancelled'] as const;

/** Something that happened to a job. */
export const timelineEntrySchema = z
  .discriminatedUnion('kind', [
    z.object({
      kind: z.literal('state'),
      at: time,
      state: z.enum(JOB_STATES),
      from: z.enum(JOB_STATES).nullable(),
    }),
    z.object({
      kind: z.literal('step'),
      at: time,
      step: z.string(),
      state: z.enum(STEP_STATES),
      attempt: z.int(),
      detail: z.string().nullable(),
    }),
    z.object({
      kind: z.literal('attempt'),
      at: time,
      attempt: z.int(),
      outcome: z.enum(ATTEMPT_OUTCOMES).describe('`released`: its worker stopped, and it does not count'),
      failure: z.object({ code: z.string(), message: z.string(), step: z.string().nullable() }).nullable(),
      retryAt: time.nullable(),
    }),
    z.object({
      kind: z.literal('action'),
      at: time,
      type: z.string(),
      actor: z.string().describe('The id of who asked for it'),
      detail: z.string().nullable(),
    }),
  ])
  .meta({ id: 'TimelineEntry' });
export type TimelineEntry = z.infer<typeof timelineEntrySchema>;

export const timelineSchema = z
  .object({ entries: z.array(timelineEntrySchema).describe('In order; the latest 300') })
  .meta({ id: 'Timeline' });

export const ARTIFACT_KINDS = ['page', 'audio', 'manifest', 'transcript'] as const;

export const artifactSchema = z
  .object({
    kind: z.enum(ARTIFACT_KINDS),
    url: z.string().describe('Works without a token, for about a week'),
    contentType: z.string(),
    bytes: z.int().min(0),
    sha256: z.string().nullable(),
  })
  .meta({ id: 'Artifact' });
export type Artifact = z.infer<typeof artifactSchema>;

export const artifactListSchema = z
  .object({ artifacts: z.array(artifactSchema) })
  .meta({ id: 'ArtifactList' });
