// What each verb does to a job: pure functions from a record to the fields it changes.
//   C1. A state is only reached through MOVES; anything else is a refusal that names state and verb.
//   C2. Nothing here touches version or updatedAt: the store counts, in the same write.

import { type Outcome, refuse } from '@esl/kit/outcome';
import { backoffMs, MAX_ATTEMPTS } from './backoff.ts';
import {
  type Artifact,
  DISPATCH_CHECK_MS,
  type Failure,
  type Finding,
  type JobPriority,
  type JobRecord,
  type JobState,
  type LessonSummary,
  later,
  type Narration,
  type Progress,
  type Step,
  type Warning,
} from './job.ts';
import { type JobVerb, MOVES } from './moves.ts';
import { searchWords } from './search-words.ts';

export type Fields = Partial<Omit<JobRecord, 'id' | 'ownerId' | 'version' | 'createdAt' | 'updatedAt'>>;

/** What somebody asked for, and who it was. */
export type Action = {
  readonly type: 'submit' | 'cancel' | 'edit_metadata' | 'reschedule' | 'retry';
  readonly actor: string;
  readonly detail: string | null;
};

/** What a change is announced as. */
export type Fact = 'created' | 'state_changed' | 'progress' | 'updated';

export type Change = {
  readonly fields: Fields;
  readonly fact: Fact;
  /** Somebody asked for this: kept in the timeline. */
  readonly action?: Action;
  /** A message to a worker that leaves together with the fact. */
  readonly work?: 'run' | 'refresh';
  /** Holds only if the lease in the document has run out by then. */
  readonly leaseOutBy?: Date;
};

/** What a run knows at its end. */
export type RunResult = {
  readonly steps: readonly Step[];
  readonly warnings: readonly Warning[];
  readonly findings: readonly Finding[];
  readonly artifacts: readonly Artifact[];
  readonly lesson: LessonSummary | null;
  readonly narration: Narration | null;
};

export type Refused = Outcome<never, 'job_cannot_move'>;

const move = (job: JobRecord, verb: JobVerb): JobState | null => MOVES[job.state][verb] ?? null;

export const cannot = (job: JobRecord, verb: string) =>
  refuse('job_cannot_move', `A job that is ${job.state} cannot be asked to ${verb}.`, {
    state: job.state,
    verb,
  });

const after = (now: Date, ms: number): Date => new Date(now.getTime() + ms);

export const start = (job: JobRecord, workerId: string, leaseMs: number, now: Date): Change | null => {
  const state = move(job, 'start');
  if (!state) return null;
  return {
    fact: 'state_changed',
    fields: {
      state,
      attempt: job.attempt + 1,
      startedAt: job.startedAt ?? now,
      lease: { workerId, expiresAt: after(now, leaseMs) },
      reportSequence: 0,
      isDispatched: false,
      dispatchAt: null,
      retryAt: null,
      progress: null,
      steps: [],
    },
  };
};

/** Back to the queue, without counting against the job: its worker is shutting down. */
export const release = (job: JobRecord, now: Date): Change | null => {
  const state = move(job, 'retry');
  if (!state) return null;
  return {
    fact: 'state_changed',
    fields: {
      state,
      lease: null,
      progress: null,
      isDispatched: true,
      dispatchAt: after(now, HAND_BACK_CHECK_MS),
    },
  };
};

export const succeed = (job: JobRecord, result: RunResult, now: Date): Change | null => {
  const state = move(job, 'succeed');
  if (!state) return null;
  return {
    fact: 'state_changed',
    fields: {
      state,
      ...bounded(job, result),
      finishedAt: now,
      failure: null,
      progress: null,
      lease: null,
    },
  };
};

/** Another try while the error may pass and tries are left; otherwise the end. */
export const fail = (
  job: JobRecord,
  failure: Failure,
  result: RunResult,
  { now, retryAfterMs, random }: { now: Date; retryAfterMs: number; random: number },
): Change | null => {
  const failedAttempts = job.failedAttempts + 1;
  const again = failure.retryable && failedAttempts < MAX_ATTEMPTS;
  const state = move(job, again ? 'retry' : 'fail');
  if (!state) return null;
  const common = { state, ...bounded(job, result), failure, failedAttempts, progress: null, lease: null };
  if (!again) return { fact: 'state_changed', fields: { ...common, finishedAt: now } };
  const retryAt = after(now, backoffMs(failedAttempts, retryAfterMs, random));
  return { fact: 'state_changed', fields: { ...common, retryAt, isDispatched: false, dispatchAt: retryAt } };
};

/** The worker has gone silent: as a failure that may pass, but tried again at once. */
export const loseLease = (job: JobRecord, now: Date): Change | null => {
  const failure: Failure = {
    code: 'worker_lost',
    message: 'The worker that ran this lesson stopped answering.',
    step: job.progress?.step ?? null,
    retryable: true,
  };
  const result = {
    steps: job.steps,
    warnings: job.warnings,
    findings: job.findings,
    artifacts: job.artifacts,
    lesson: null,
    narration: null,
  };
  const change = fail(job, failure, result, { now, retryAfterMs: 0, random: 0 });
  if (!change) return null;
  if (change.fields.state !== 'queued') return { ...change, leaseOutBy: now };
  const dispatchAt = after(now, DISPATCH_CHECK_MS);
  const fields = { ...change.fields, retryAt: null, isDispatched: true, dispatchAt };
  return { ...change, fields, work: 'run', leaseOutBy: now };
};

export const cancel = (
  job: JobRecord,
  { reason, actor }: { reason: string | null; actor: string },
  now: Date,
): Change | null => {
  const state = move(job, 'cancel');
  if (!state) return null;
  const steps = job.steps.map((step) =>
    step.state === 'running' ? { ...step, state: 'cancelled' as const, finishedAt: now } : step,
  );
  return {
    fact: 'state_changed',
    action: { type: 'cancel', actor, detail: reason },
    fields: {
      state,
      cancelReason: reason,
      finishedAt: now,
      steps,
      progress: null,
      lease: null,
      isDispatched: false,
      dispatchAt: null,
      retryAt: null,
    },
  };
};

export const progress = (
  job: JobRecord,
  report: {
    sequence: number;
    steps: readonly Step[];
    progress: Progress | null;
    lesson: LessonSummary | null;
  },
): Change | null =>
  job.state === 'running' && report.sequence > job.reportSequence
    ? {
        fact: 'progress',
        fields: {
          steps: report.steps.slice(0, MAX_STEPS),
          progress: report.progress,
          reportSequence: report.sequence,
          ...lessonFields(job, report.lesson),
        },
      }
    : null;

/** The stopped run's own account of its steps replaces what was assumed when the job was cancelled. */
export const confirmCancelled = (job: JobRecord, result: RunResult): Change | null =>
  job.state === 'cancelled' ? { fact: 'updated', fields: bounded(job, result) } : null;

export const editMetadata = (
  job: JobRecord,
  edit: { preset: string | null; notionDatabase: string | null; actor: string },
  now: Date,
): Change | null => {
  if (job.state === 'running') return null;
  const spec = {
    ...job.spec,
    preset: edit.preset ?? job.spec.preset,
    notionDatabase: edit.notionDatabase ?? job.spec.notionDatabase,
  };
  const detail = Object.entries({ preset: edit.preset, notionDatabase: edit.notionDatabase })
    .flatMap(([field, value]) => (value === null ? [] : [`${field}: ${value}`]))
    .join(', ');
  const action = { type: 'edit_metadata', actor: edit.actor, detail } as const;
  if (job.artifacts.length === 0) return { fact: 'updated', action, fields: { spec } };
  const refresh = { version: job.version + 1, checkAt: after(now, REFRESH_CHECK_MS) };
  return { fact: 'updated', action, fields: { spec, refresh }, work: 'refresh' };
};

/**
 * Another time or priority for a job that waits. It goes back to its owner's queue: a message already sent for it is
 * void, and taken out of the stream by whoever calls. A job that waits after a failed attempt keeps that delay.
 */
export const reschedule = (
  job: JobRecord,
  wish: { runAt: Date | null; priority: JobPriority | null; actor: string },
  now: Date,
): Change | null => {
  if (job.state !== 'queued') return null;
  const wanted = wish.runAt ?? job.runAt;
  const runAt = wanted && wanted > now ? wanted : null;
  const priority = wish.priority ?? job.priority;
  const dispatchAt = later(runAt ?? now, job.retryAt ?? now);
  const detail = [
    ...(wish.runAt ? [`runAt: ${(runAt ?? now).toISOString()}`] : []),
    ...(wish.priority ? [`priority: ${priority}`] : []),
  ].join(', ');
  return {
    fact: 'updated',
    action: { type: 'reschedule', actor: wish.actor, detail },
    fields: { runAt, priority, isDispatched: false, dispatchAt },
  };
};

export const refreshed = (
  job: JobRecord,
  report: { version: number; artifacts: readonly Artifact[]; warnings: readonly Warning[] },
): Change | null => {
  if (!job.refresh || report.version < job.refresh.version) return null;
  const artifacts = mergeArtifacts(job.artifacts, report.artifacts);
  const warnings = [...job.warnings, ...report.warnings].slice(0, MAX_WARNINGS);
  return { fact: 'updated', fields: { artifacts, warnings, refresh: null } };
};

/** A worker that hands a run back also hands its message back; this makes sure of it, in ms. */
const HAND_BACK_CHECK_MS = 1_000;
/** How long the worker has to bring page and manifest in line before it is asked again, in ms. */
export const REFRESH_CHECK_MS = 30_000;
const MAX_STEPS = 20;
const MAX_WARNINGS = 50;
const MAX_FINDINGS = 200;

const bounded = (job: JobRecord, result: RunResult): Fields => ({
  ...lessonFields(job, result.lesson),
  // An attempt that ended before it came to narrate takes nothing back of what an earlier one has cost.
  ...(result.narration && {
    narration: { ...result.narration, cast: result.narration.cast.slice(0, MAX_CAST) },
  }),
  steps: result.steps.slice(0, MAX_STEPS),
  warnings: result.warnings.slice(0, MAX_WARNINGS),
  findings: result.findings.slice(0, MAX_FINDINGS),
  artifacts: mergeArtifacts([], result.artifacts),
});

const MAX_LESSON_TEXT = 500;
const MAX_CAST = 50;

/** What was read of the lesson, and the words to find the job by; nothing when a report says nothing new. */
const lessonFields = (job: JobRecord, read: LessonSummary | null): Fields => {
  if (!read) return {};
  const { title, student, level, topic } = job.lesson ?? {};
  if (read.title === title && read.student === student && read.level === level && read.topic === topic)
    return {};
  const lesson = {
    title: read.title.slice(0, MAX_LESSON_TEXT),
    student: read.student.slice(0, MAX_LESSON_TEXT),
    level: read.level.slice(0, MAX_LESSON_TEXT),
    topic: read.topic.slice(0, MAX_LESSON_TEXT),
  };
  return { lesson, words: searchWords([job.spec.md, lesson.title, lesson.student, lesson.topic]) };
};

/** At most one artifact of each kind; the later one wins. */
const mergeArtifacts = (old: readonly Artifact[], fresh: readonly Artifact[]): Artifact[] => [
  ...new Map([...old, ...fresh].map((artifact) => [artifact.kind, artifact])).values(),
];
