import { counter, longSeconds } from '@esl/kit/metrics';
import type { JobRecord } from '../domain/job.ts';
import { isFinal } from '../domain/moves.ts';

const created = counter('esl_jobs_created_total', 'Jobs stored for the first time');
const moves = counter('esl_job_moves_total', 'Changes of state', ['from', 'to']);
const waited = longSeconds(
  'esl_job_queue_seconds',
  'Time a job was due in the queue before a worker took it',
  ['priority'],
);
const lasted = longSeconds('esl_job_seconds', 'Time from when a job was due until its end', ['state']);
const ended = counter('esl_jobs_ended_total', 'Jobs that have come to an end; whose fault a failure was', [
  'state',
  'fault',
]);

// A series that begins with its first event would hide that event from `rate`.
for (const state of ['succeeded', 'failed', 'cancelled'] as const)
  for (const fault of state === 'failed' ? (['user', 'system'] as const) : (['none'] as const))
    ended.inc({ state, fault }, 0);

const secondsBetween = (from: Date, to: Date): number => Math.max(to.getTime() - from.getTime(), 0) / 1_000;

/** A failure that may pass is the system's: what a person must mend first lies in the lesson or its settings. */
const faultOf = ({ state, failure }: JobRecord): 'none' | 'user' | 'system' => {
  if (state !== 'failed' || !failure) return 'none';
  return failure.retryable ? 'system' : 'user';
};

/** When a queued job could first have been taken. */
const dueAt = ({ attempt, createdAt, updatedAt, runAt, retryAt }: JobRecord): Date =>
  retryAt ?? (attempt === 0 ? (runAt ?? createdAt) : updatedAt);

export const noteCreated = (): void => created.inc();

/** Measures what a stored change means, if it is one of state. */
export const noteMove = (before: JobRecord, after: JobRecord): void => {
  if (before.state === after.state) return;
  moves.inc({ from: before.state, to: after.state });
  if (after.state === 'running')
    waited.observe({ priority: before.priority }, secondsBetween(dueAt(before), after.updatedAt));
  if (!isFinal(after.state)) return;
  ended.inc({ state: after.state, fault: faultOf(after) });
  lasted.observe({ state: after.state }, secondsBetween(after.runAt ?? after.createdAt, after.updatedAt));
};
