import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import type { Batch } from '../domain/batch.ts';
import { isBatchId, type JobId, type NewJob, newRecord, type OwnerId, timeOfId } from '../domain/job.ts';
import { isFreshId, MAX_JOBS } from './create-jobs.ts';
import type { BatchStore, Clock } from './needs.ts';

export type NewBatch = {
  readonly id: string;
  readonly ownerId: OwnerId;
  readonly name: string | null;
  readonly jobs: readonly Omit<NewJob, 'batchId' | 'ownerId'>[];
};

export type BatchRefusal = 'invalid_batch_id' | 'invalid_batch_size' | 'invalid_job_id';

const MAX_NAME_LENGTH = 200;

/** Stores a batch with all its jobs, or nothing. The same ids again change nothing and answer the same. */
export const createBatch =
  ({ batches, clock }: { batches: BatchStore; clock: Clock }) =>
  async (wanted: NewBatch): Promise<Outcome<{ batch: Batch; jobIds: readonly JobId[] }, BatchRefusal>> => {
    const now = clock();
    const { id, ownerId } = wanted;
    if (!isBatchId(id) || !isFreshId(id, now))
      return refuse('invalid_batch_id', 'A batch id must be a UUIDv7 made just now.');
    if (wanted.jobs.length === 0 || wanted.jobs.length > MAX_JOBS)
      return refuse('invalid_batch_size', `A batch has 1 to ${MAX_JOBS} jobs.`);
    const distinct = new Set(wanted.jobs.map((job) => job.id));
    if (distinct.size < wanted.jobs.length || ![...distinct].every((jobId) => isFreshId(jobId, now)))
      return refuse('invalid_job_id', 'A job id must be a UUIDv7 made just now, and used once.');
    const records = wanted.jobs.map((job) => newRecord({ ...job, ownerId, batchId: id }, now));
    const name = wanted.name?.slice(0, MAX_NAME_LENGTH) ?? null;
    const stored = await batches.create({ id, ownerId, name, createdAt: new Date(timeOfId(id)) }, records);
    if (!stored) return refuse('invalid_job_id', 'A job id is taken.');
    return stored.batch.ownerId === ownerId
      ? accept(stored)
      : refuse('invalid_batch_id', 'The batch id is taken.');
  };
