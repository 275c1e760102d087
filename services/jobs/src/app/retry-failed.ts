import { accept, type Outcome } from '@esl/kit/outcome';
import { isBatchId, type JobId } from '../domain/job.ts';
import { isFinal } from '../domain/moves.ts';
import { actionEntry } from '../domain/timeline.ts';
import type { createJobs } from './create-jobs.ts';
import type { BatchStore, Clock, JobStore, Scope } from './needs.ts';
import { batchNotFound } from './read-batches.ts';
import { retryOf } from './retry-job.ts';

/**
 * Tries each failed job of a batch again, as a new job. Which id follows a failed job is decided in the batch before
 * the job is made: a repeat, or a second caller, makes the same jobs. A retry that has failed as well is followed by
 * the next. Answers the retries that have not ended.
 */
export const retryFailed =
  ({
    batches,
    store,
    create,
    clock,
    newId,
  }: {
    batches: BatchStore;
    store: JobStore;
    create: ReturnType<typeof createJobs>;
    clock: Clock;
    newId: () => JobId;
  }) =>
  async (
    scope: Scope,
    id: string,
    { actor }: { actor: string },
  ): Promise<Outcome<readonly JobId[], 'batch_not_found'>> => {
    if (!isBatchId(id) || !(await batches.find(scope, id))) return batchNotFound();

    /** The job that follows the latest attempt, which has failed. */
    const follow = async (jobId: JobId, latest: JobId): Promise<JobId> => {
      const next = newId();
      const won = await batches.claimRetry(id, jobId, latest === jobId ? null : latest, next);
      return won ? next : ((await batches.retries(id))[jobId] ?? next);
    };

    const make = async (parentId: JobId, retryId: JobId) => {
      const parent = await store.find(parentId);
      if (!parent) return;
      const made = await create([retryOf(parent, retryId)]);
      if (!made.ok) throw new Error(`a retry was refused: ${made.refusal.code}`);
      const action = { type: 'retry', actor, detail: `as job ${retryId}` } as const;
      await store.note(parentId, actionEntry(action, clock()));
    };

    const known = await batches.retries(id);
    const retry = async (jobId: JobId): Promise<JobId | null> => {
      const latest = known[jobId];
      const job = latest ? await store.find(latest) : null;
      if (job && isFinal(job.state) && job.state !== 'failed') return null;
      if (job && !isFinal(job.state)) return job.id;
      const parent = job ? job.id : jobId;
      // Decided before, but not made: a crash came between.
      const next = latest && !job ? latest : await follow(jobId, parent);
      await make(parent, next);
      return next;
    };

    const left = [...(await batches.jobsIn(id, ['failed']))];
    const retries: JobId[] = [];
    for (let batch = left.splice(0, 32); batch.length > 0; batch = left.splice(0, 32)) {
      const made = await Promise.all(batch.map(retry));
      retries.push(...made.filter((jobId) => jobId !== null));
    }
    return accept(retries);
  };
