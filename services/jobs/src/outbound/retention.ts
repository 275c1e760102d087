import type { Log } from '@esl/kit/log';
import type { deleteJob } from '../app/delete-job.ts';
import type { JobsCollection } from './job-documents.ts';

const EVERY_MS = 60_000;
const BATCH = 100;
const DAY_MS = 86_400_000;

/**
 * Deletes jobs that ended long ago, as if somebody had asked for it: some at a time, and when there were more, some
 * more with the next pass. With 0 days nothing is ever deleted.
 */
export const retention = ({
  jobs,
  remove,
  days,
  now,
  log,
}: {
  readonly jobs: JobsCollection;
  readonly remove: ReturnType<typeof deleteJob>['request'];
  readonly days: number;
  readonly now: () => Date;
  readonly log: Log;
}) => {
  let nextAt = 0;
  return async (): Promise<void> => {
    const at = now().getTime();
    if (days === 0 || at < nextAt) return;
    const before = new Date(at - days * DAY_MS);
    const expired = await jobs
      .find({ finishedAt: { $gt: new Date(0), $lt: before } }, { projection: { _id: 1 }, hint: 'finished' })
      .sort({ finishedAt: 1 })
      .limit(BATCH)
      .toArray();
    for (const { _id } of expired) await remove('everyone', _id, 'retention', 'retention');
    if (expired.length > 0) log.info({ jobs: expired.length, before }, 'jobs deleted by retention');
    nextAt = expired.length === BATCH ? 0 : at + EVERY_MS;
  };
};
