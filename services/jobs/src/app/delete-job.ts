// Deleting a job for good.
//   X1. The intention is recorded first, with who, when and why: a crash in between is finished by the reconciler.
//   X2. A job is only deleted when all its events are published, and not while it runs.
//   X3. What it made goes afterwards, and only what no other job uses (outbound/mongo-deletions.ts).

import { setTimeout as delay } from 'node:timers/promises';
import { accept, type Outcome } from '@esl/kit/outcome';
import { cannot } from '../domain/changes.ts';
import { isJobId, type JobRecord } from '../domain/job.ts';
import type { DeletionStore, JobStore, Scope } from './needs.ts';
import { isWithin, jobNotFound } from './read-jobs.ts';

const TRIES = 20;
const WAIT_MS = 100;

export type DeletionReason = 'request' | 'retention';

export const deleteJob = ({
  store,
  deletions,
  publishAll,
  deleted,
}: {
  readonly store: Pick<JobStore, 'find'>;
  readonly deletions: DeletionStore;
  /** Resolves when what waits in outboxes has been published, or could not be. */
  readonly publishAll: () => Promise<void>;
  /** Tells whoever keeps something about the job, such as its queue or its batch. */
  readonly deleted: (job: JobRecord) => Promise<void>;
}) => {
  /** Deletes the job, if it may be deleted, and has the rest follow. */
  const finish = async (job: JobRecord): Promise<'deleted' | 'running'> => {
    for (let tries = 0; tries < TRIES; tries += 1) {
      if (await deletions.remove(job.id)) {
        await deleted(job);
        return 'deleted';
      }
      const current = await store.find(job.id);
      if (current?.state === 'running') {
        await deletions.withdraw(job.id);
        return 'running';
      }
      await publishAll();
      await delay(WAIT_MS);
    }
    throw new Error(`job ${job.id} cannot be deleted: its events cannot be published`);
  };

  return {
    request: async (
      scope: Scope,
      id: string,
      actor: string,
      reason: DeletionReason = 'request',
    ): Promise<Outcome<null, 'job_not_found' | 'job_cannot_move'>> => {
      const job = isJobId(id) ? await store.find(id) : null;
      if (!job || !isWithin(scope, job)) return jobNotFound();
      if (job.state === 'running') return cannot(job, 'delete');
      await deletions.record(job, { actor, reason });
      const end = await finish(job);
      return end === 'deleted' ? accept(null) : cannot({ ...job, state: 'running' }, 'delete');
    },
    finish,
  };
};
