import { z } from 'zod';
import { batchSchema } from './batch.ts';
import { issueSchema } from './error.ts';
import { shortText, submitJobSchema } from './submit-job.ts';

export const MAX_BATCH_ITEMS = 500;

/** Body of `POST /jobs/batch`: all of it is stored, or nothing. */
export const submitBatchSchema = z
  .object({
    items: z.array(submitJobSchema).min(1).max(MAX_BATCH_ITEMS),
    name: shortText.max(200, 'must be at most 200 characters').optional(),
  })
  .meta({ id: 'SubmitBatch' });

/** One entry of `details.items` in an `invalid_batch` answer. */
export const batchItemProblemSchema = z.object({
  index: z.int().min(0).describe('Of the item, from 0'),
  code: z.string().describe('As `POST /jobs` would answer'),
  issues: z.array(issueSchema),
});
export type BatchItemProblem = z.infer<typeof batchItemProblemSchema>;

export const batchAcceptedSchema = z
  .object({ batchId: z.uuid(), jobIds: z.array(z.uuid()).describe('In the order of the items') })
  .meta({ id: 'BatchAccepted' });

export const batchListSchema = z
  .object({ batches: z.array(batchSchema), nextCursor: z.string().nullable() })
  .meta({ id: 'BatchList' });

export const batchCancelledSchema = z
  .object({ cancelled: z.int().min(0).describe('Jobs that this call ended') })
  .meta({ id: 'BatchCancelled' });

export const jobsRetriedSchema = z.object({ jobIds: z.array(z.uuid()) }).meta({ id: 'JobsRetried' });
