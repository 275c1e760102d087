import { accept, type Outcome } from '@esl/kit/outcome';
import { cannot, reschedule } from '../domain/changes.ts';
import { isJobId, type Job, type JobPriority } from '../domain/job.ts';
import type { Clock, JobStore, Scope } from './needs.ts';
import { isWithin, jobNotFound } from './read-jobs.ts';

/**
 * Changes when or how urgently a queued job runs. `withdraw` takes a message that was already sent for it out of the
 * stream; one that a worker has in hand just then is answered when it claims.
 */
export const rescheduleJob =
  ({ store, clock, withdraw }: { store: JobStore; clock: Clock; withdraw: (job: Job) => Promise<void> }) =>
  async (
    scope: Scope,
    id: string,
    wish: { runAt: Date | null; priority: JobPriority | null; actor: string },
  ): Promise<Outcome<Job, 'job_not_found' | 'job_cannot_move'>> => {
    if (!isJobId(id)) return jobNotFound();
    const result = await store.change(id, (job) =>
      isWithin(scope, job) ? reschedule(job, wish, clock()) : null,
    );
    if (!result || !isWithin(scope, result.job)) return jobNotFound();
    if (!result.changed) return cannot(result.job, 'reschedule');
    await withdraw(result.job);
    return accept(result.job);
  };
