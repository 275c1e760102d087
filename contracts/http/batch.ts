import { z } from 'zod';

const time = z.iso.datetime({ precision: 3 }).describe('UTC, with milliseconds');

export const BATCH_STATES = ['running', 'finished'] as const;

/** Jobs that were submitted together, over HTTP and in every batch event alike. */
export const batchSchema = z
  .object({
    batchId: z.uuid(),
    name: z.string().nullable(),
    total: z.int().min(0).describe('Jobs there are; deleted ones are not counted'),
    counts: z.object({
      queued: z.int().min(0),
      running: z.int().min(0),
      succeeded: z.int().min(0),
      failed: z.int().min(0),
      cancelled: z.int().min(0),
    }),
    state: z.enum(BATCH_STATES),
    createdAt: time,
    finishedAt: time.nullable(),
    etaSeconds: z.int().min(0).nullable().describe('Null until the first job has ended'),
  })
  .meta({ id: 'Batch' });
export type Batch = z.infer<typeof batchSchema>;
