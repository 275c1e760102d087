import { accept, type Outcome } from '@esl/kit/outcome';
import { cancel, cannot } from '../domain/changes.ts';
import { isJobId, type Job, type JobId } from '../domain/job.ts';
import type { Clock, JobStore, Scope } from './needs.ts';
import { isWithin, jobNotFound } from './read-jobs.ts';

/**
 * Ends a queued or running job, now: from this write on no report of its run counts. `nudge` tells the worker at once;
 * when that is lost, the worker learns it with its next renewal.
 */
export const cancelJob =
  ({ store, clock, nudge }: { store: JobStore; clock: Clock; nudge: (id: JobId) => void }) =>
  async (
    scope: Scope,
    id: string,
    { reason, actor }: { reason: string | null; actor: string },
  ): Promise<Outcome<Job, 'job_not_found' | 'job_cannot_move'>> => {
    if (!isJobId(id)) return jobNotFound();
    const result = await store.change(id, (job) =>
      isWithin(scope, job) ? cancel(job, { reason, actor }, clock()) : null,
    );
    if (!result || !isWithin(scope, result.job)) return jobNotFound();
    if (!result.changed) return cannot(result.job, 'cancel');
    nudge(id);
    return accept(result.job);
  };
