import type { JobState } from './job.ts';

export type JobVerb = 'start' | 'retry' | 'succeed' | 'fail' | 'cancel';

/** Every move a job can make. A state without moves is final. */
export const MOVES: Readonly<Record<JobState, Readonly<Partial<Record<JobVerb, JobState>>>>> = {
  queued: { start: 'running', cancel: 'cancelled' },
  running: { retry: 'queued', succeed: 'succeeded', fail: 'failed', cancel: 'cancelled' },
  succeeded: {},
  failed: {},
  cancelled: {},
};

export const isFinal = (state: JobState): boolean => Object.keys(MOVES[state]).length === 0;
