import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { isJobId, type Job, type NewJob, newRecord, timeOfId } from '../domain/job.ts';
import type { Clock, JobStore } from './needs.ts';

/** Ids from a clock further ahead than this are refused: they would sort before everything to come. */
const MAX_CLOCK_SKEW_MS = 60_000;
export const MAX_JOBS = 500;

export const isFreshId = (id: string, now: Date): boolean =>
  isJobId(id) && timeOfId(id) <= now.getTime() + MAX_CLOCK_SKEW_MS;

export type CreateRefusal = 'invalid_job_id' | 'too_many_jobs';

/** Stores jobs. The same ids again change nothing and answer the same jobs. */
export const createJobs =
  ({ create, clock }: { create: JobStore['create']; clock: Clock }) =>
  async (jobs: readonly NewJob[]): Promise<Outcome<readonly Job[], CreateRefusal>> => {
    if (jobs.length > MAX_JOBS) return refuse('too_many_jobs', `At most ${MAX_JOBS} jobs at a time.`);
    const now = clock();
    if (!jobs.every(({ id }) => isFreshId(id, now)))
      return refuse('invalid_job_id', 'A job id must be a UUIDv7 made just now.');
    const stored = await create(jobs.map((job) => newRecord(job, now)));
    const isTaken = stored.some(({ ownerId }, index) => ownerId !== jobs[index]?.ownerId);
    return isTaken ? refuse('invalid_job_id', 'A job id is taken.') : accept(stored);
  };
