import { accept, type Outcome } from '@esl/kit/outcome';
import { cannot, editMetadata as edit } from '../domain/changes.ts';
import { isJobId, type Job } from '../domain/job.ts';
import type { Clock, JobStore, Scope } from './needs.ts';
import { isWithin, jobNotFound } from './read-jobs.ts';

/** Changes preset or database of a job that is not running; its page and manifest follow by a worker. */
export const editMetadata =
  ({ store, clock }: { store: JobStore; clock: Clock }) =>
  async (
    scope: Scope,
    id: string,
    fields: { preset: string | null; notionDatabase: string | null; actor: string },
  ): Promise<Outcome<Job, 'job_not_found' | 'job_cannot_move'>> => {
    if (!isJobId(id)) return jobNotFound();
    const result = await store.change(id, (job) =>
      isWithin(scope, job) ? edit(job, fields, clock()) : null,
    );
    if (!result || !isWithin(scope, result.job)) return jobNotFound();
    return result.changed ? accept(result.job) : cannot(result.job, 'edit_metadata');
  };
