import { accept, type Outcome } from '@esl/kit/outcome';
import { isBatchId, type JobId } from '../domain/job.ts';
import type { cancelJob } from './cancel-job.ts';
import type { BatchStore, Scope } from './needs.ts';
import { batchNotFound } from './read-batches.ts';

const CANCELS_AT_ONCE = 32;

/** Ends every job of a batch that has not ended, and answers how many. One that ends by itself meanwhile is left. */
export const cancelBatch =
  ({ batches, cancel }: { batches: BatchStore; cancel: ReturnType<typeof cancelJob> }) =>
  async (
    scope: Scope,
    id: string,
    wish: { reason: string | null; actor: string },
  ): Promise<Outcome<number, 'batch_not_found'>> => {
    if (!isBatchId(id) || !(await batches.find(scope, id))) return batchNotFound();
    // Those that wait first: they would only be dispatched into the room that the running ones leave.
    const left: JobId[] = [
      ...(await batches.jobsIn(id, ['queued'])),
      ...(await batches.jobsIn(id, ['running'])),
    ];
    let cancelled = 0;
    const work = async () => {
      for (let jobId = left.shift(); jobId; jobId = left.shift()) {
        const outcome = await cancel(scope, jobId, wish);
        if (outcome.ok) cancelled += 1;
      }
    };
    await Promise.all(Array.from({ length: CANCELS_AT_ONCE }, work));
    return accept(cancelled);
  };
