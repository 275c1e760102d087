import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { cannot } from '../domain/changes.ts';
import { isJobId, type Job, type JobId, type JobRecord, type NewJob } from '../domain/job.ts';
import { actionEntry } from '../domain/timeline.ts';
import type { createJobs } from './create-jobs.ts';
import type { Clock, JobStore, Scope } from './needs.ts';
import { isWithin, jobNotFound } from './read-jobs.ts';

type RetryRefusal = 'job_not_found' | 'job_cannot_move' | 'invalid_job_id' | 'too_many_jobs';

/** The same lesson again, under a new id. A retry is a job of its own: its parent's batch stays as it ended. */
export const retryOf = (parent: JobRecord, id: JobId): NewJob => ({
  id,
  ownerId: parent.ownerId,
  spec: parent.spec,
  priority: parent.priority,
  parentJobId: parent.id,
  batchId: null,
  runAt: null,
});

/** Makes a new job of a failed or cancelled one. The same new id again answers the same job. */
export const retryJob =
  ({ store, create, clock }: { store: JobStore; create: ReturnType<typeof createJobs>; clock: Clock }) =>
  async (
    scope: Scope,
    id: string,
    { newJobId, actor }: { newJobId: string; actor: string },
  ): Promise<Outcome<Job, RetryRefusal>> => {
    const parent = isJobId(id) ? await store.find(id) : null;
    if (!parent || !isWithin(scope, parent)) return jobNotFound();
    if (parent.state !== 'failed' && parent.state !== 'cancelled') return cannot(parent, 'retry');
    const made = await create([retryOf(parent, newJobId as JobId)]);
    if (!made.ok) return made;
    const [job] = made.value;
    if (job?.parentJobId !== parent.id) return refuse('invalid_job_id', 'The id is that of another job.');
    const detail = `as job ${job.id}`;
    await store.note(parent.id, actionEntry({ type: 'retry', actor, detail }, clock()));
    return accept(job);
  };
