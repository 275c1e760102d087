// What happened to a job, told by comparing it before and after a change.
//   T1. An entry follows from the two records alone: the same write tells the change and its history.
//   T2. Steps begin anew with each attempt, so each of their entries belongs to one attempt.

import type { Action } from './changes.ts';
import type { Failure, JobRecord, JobState, Step, StepState } from './job.ts';
import { isFinal } from './moves.ts';

export type AttemptOutcome = 'started' | 'failed' | 'released' | 'succeeded' | 'cancelled';

export type TimelineEntry = { readonly at: Date } & (
  | { readonly kind: 'state'; readonly state: JobState; readonly from: JobState | null }
  | {
      readonly kind: 'step';
      readonly name: string;
      readonly state: StepState;
      readonly attempt: number;
      readonly detail: string | null;
    }
  | {
      readonly kind: 'attempt';
      readonly attempt: number;
      readonly outcome: AttemptOutcome;
      readonly failure: Failure | null;
      readonly retryAt: Date | null;
    }
  | ({ readonly kind: 'action' } & Action)
);

/** Entries kept of one job; the oldest go first. */
export const MAX_TIMELINE = 300;

const MAX_DETAIL = 500;

export const actionEntry = (action: Action, at: Date): TimelineEntry => ({
  ...action,
  detail: action.detail?.slice(0, MAX_DETAIL) ?? null,
  kind: 'action',
  at,
});

export const firstEntries = (job: JobRecord): TimelineEntry[] => [
  actionEntry(
    { type: 'submit', actor: job.ownerId, detail: job.parentJobId && `of job ${job.parentJobId}` },
    job.createdAt,
  ),
  { kind: 'state', state: job.state, from: null, at: job.createdAt },
];

const stepEntries = (before: readonly Step[], after: readonly Step[], attempt: number, at: Date) =>
  after.flatMap((step): TimelineEntry[] => {
    const known = before.find(({ name }) => name === step.name);
    if (known?.state === step.state || step.state === 'pending') return [];
    const entry = { kind: 'step', name: step.name, attempt } as const;
    const began = step.startedAt && !known?.startedAt;
    return [
      ...(began ? [{ ...entry, state: 'running' as const, detail: null, at: step.startedAt }] : []),
      ...(step.state === 'running'
        ? []
        : [{ ...entry, state: step.state, detail: step.detail, at: step.finishedAt ?? at }]),
    ];
  });

const outcomeOf = (before: JobRecord, after: JobRecord): AttemptOutcome => {
  if (after.state === 'succeeded' || after.state === 'cancelled') return after.state;
  return after.failedAttempts > before.failedAttempts ? 'failed' : 'released';
};

const attemptEntries = (before: JobRecord, after: JobRecord, at: Date): TimelineEntry[] => {
  const entry = { kind: 'attempt', attempt: after.attempt, at } as const;
  if (after.attempt > before.attempt) return [{ ...entry, outcome: 'started', failure: null, retryAt: null }];
  if (before.state !== 'running' || after.state === 'running') return [];
  const outcome = outcomeOf(before, after);
  const failure = outcome === 'failed' ? after.failure : null;
  return [{ ...entry, outcome, failure, retryAt: isFinal(after.state) ? null : after.retryAt }];
};

/** What a change adds, with the action that asked for it first, and the state that it led to last. */
export const entriesOf = (before: JobRecord, after: JobRecord, action: Action | null): TimelineEntry[] => {
  const at = after.updatedAt;
  const isNewAttempt = after.attempt > before.attempt;
  return [
    ...(action ? [actionEntry(action, at)] : []),
    ...(isNewAttempt ? [] : stepEntries(before.steps, after.steps, after.attempt, at)),
    ...attemptEntries(before, after, at),
    ...(after.state === before.state
      ? []
      : [{ kind: 'state' as const, state: after.state, from: before.state, at }]),
  ];
};
