import type { BatchId, JobState, OwnerId } from './job.ts';
import { isFinal } from './moves.ts';

export type BatchCounts = Readonly<Record<JobState, number>>;

/** What counting the jobs of a batch tells. */
export type BatchTally = {
  readonly counts: BatchCounts;
  /** When the first of them was taken by a worker. */
  readonly startedAt: Date | null;
  /** When the latest of those that have ended did. */
  readonly lastFinishedAt: Date | null;
};

/** What everyone may see of a batch. */
export type Batch = {
  readonly id: BatchId;
  readonly ownerId: OwnerId;
  /** Rises by one with each event. */
  readonly version: number;
  readonly name: string | null;
  readonly counts: BatchCounts;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
  readonly etaSeconds: number | null;
};

export const NO_JOBS: BatchCounts = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };

const sum = (counts: BatchCounts, which: (state: JobState) => boolean): number =>
  (Object.keys(counts) as JobState[]).filter(which).reduce((total, state) => total + counts[state], 0);

export const totalOf = (counts: BatchCounts): number => sum(counts, () => true);
export const leftIn = (counts: BatchCounts): number => sum(counts, (state) => !isFinal(state));

/** At the pace of the jobs that ran so far; null while none has ended, and when none is left. */
export const etaSeconds = ({ counts, startedAt }: BatchTally, now: Date): number | null => {
  const done = counts.succeeded + counts.failed;
  const left = leftIn(counts);
  if (left === 0 || done === 0 || !startedAt) return null;
  return Math.ceil((Math.max(now.getTime() - startedAt.getTime(), 0) / done / 1_000) * left);
};
