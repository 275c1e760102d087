import { z } from 'zod';
import { batchSchema } from './batch.ts';
import { JOB_STATES, jobSchema } from './job.ts';

/** Events of `GET /jobs/events` that carry a job. `resync` carries none: the gap cannot be replayed. */
export const JOB_EVENT_TYPES = ['job_created', 'job_state_changed', 'job_progress', 'job_updated'] as const;
export type JobEventType = (typeof JOB_EVENT_TYPES)[number];

/** The `data` of a job event: the job at that version, and the few fields the first client read. */
export const jobEventSchema = jobSchema
  .extend({
    type: z.enum(JOB_EVENT_TYPES),
    state: z.enum(JOB_STATES),
    payload: jobSchema.pick({
      manifestPath: true,
      error: true,
      finishedAt: true,
      mode: true,
      md: true,
      notionUrl: true,
    }),
  })
  .meta({ id: 'JobEvent' });
export type JobEvent = z.infer<typeof jobEventSchema>;

/** Events of `GET /jobs/events` that carry a batch: how far it is, at most once a second, and once its end. */
export const BATCH_EVENT_TYPES = ['batch_updated', 'batch_finished'] as const;
export type BatchEventType = (typeof BATCH_EVENT_TYPES)[number];

export const batchEventSchema = batchSchema
  .extend({ type: z.enum(BATCH_EVENT_TYPES) })
  .meta({ id: 'BatchEvent' });
export type BatchEvent = z.infer<typeof batchEventSchema>;

/** The `data` of a `resync` event: read the jobs again, then go on listening. */
export const resyncEventSchema = z
  .object({ type: z.literal('resync'), reason: z.string() })
  .meta({ id: 'ResyncEvent' });
export type ResyncEvent = z.infer<typeof resyncEventSchema>;
