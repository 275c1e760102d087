import { searchWords } from './search-words.ts';

export type JobId = string & { readonly __brand: 'JobId' };
export type OwnerId = string & { readonly __brand: 'OwnerId' };
export type BatchId = string & { readonly __brand: 'BatchId' };

export type JobState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
export type JobPriority = 'high' | 'normal' | 'low';
export type StepState = 'pending' | 'running' | 'succeeded' | 'skipped' | 'failed' | 'cancelled';

export type JobSpec = {
  readonly md: string;
  readonly lessonKey: string;
  readonly preset: string | null;
  readonly withTts: boolean;
  readonly upload: string | null;
  readonly voiceId: string | null;
  readonly voiceAccent: string | null;
  readonly forceTts: boolean | null;
  readonly notionDatabase: string | null;
  readonly mode: string | null;
};

export type Failure = {
  readonly code: string;
  readonly message: string;
  readonly step: string | null;
  readonly retryable: boolean;
};

export type Step = {
  readonly name: string;
  readonly state: StepState;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly detail: string | null;
};

export type Progress = { readonly step: string; readonly done: number; readonly total: number };
export type Warning = { readonly code: string; readonly message: string };
export type Finding = {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly line: number;
  readonly path: string | null;
};
export type ArtifactKind = 'page' | 'audio' | 'manifest' | 'transcript';
export type Artifact = {
  readonly kind: ArtifactKind;
  readonly key: string | null;
  readonly url: string | null;
  readonly contentType: string;
  readonly bytes: number;
  readonly sha256: string;
};

/** What the front matter of a lesson says. */
export type LessonSummary = {
  readonly title: string;
  readonly student: string;
  readonly level: string;
  readonly topic: string;
};

/** How the study text is spoken, and what that cost. */
export type Narration = {
  readonly engine: string;
  readonly mode: string;
  /** Code points of all that is said. */
  readonly characters: number;
  /** Code points that a paid provider counted, over all attempts. */
  readonly billedCharacters: number;
  /** 0 until it is done. */
  readonly durationMs: number;
  readonly cast: readonly CastMember[];
};
export type CastMember = {
  readonly speaker: string;
  readonly voiceId: string;
  readonly voiceName: string;
  readonly source: string;
};

/** What everyone may see of a job. */
export type Job = {
  readonly id: JobId;
  readonly ownerId: OwnerId;
  /** Rises by one per change. */
  readonly version: number;
  /** Runs begun so far. */
  readonly attempt: number;
  readonly state: JobState;
  readonly priority: JobPriority;
  readonly spec: JobSpec;
  readonly parentJobId: JobId | null;
  /** The time inside the id, so that sorting by id is sorting by creation. */
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly failure: Failure | null;
  readonly cancelReason: string | null;
  readonly progress: Progress | null;
  readonly steps: readonly Step[];
  readonly warnings: readonly Warning[];
  readonly findings: readonly Finding[];
  readonly artifacts: readonly Artifact[];
  readonly retryAt: Date | null;
  readonly batchId: BatchId | null;
  /** The earliest time it may start; null: at once. */
  readonly runAt: Date | null;
  /** Known once the lesson has been read. */
  readonly lesson: LessonSummary | null;
  /** Known once its voices are cast. */
  readonly narration: Narration | null;
};

/** Who runs a job, and until when nobody else may. */
export type Lease = { readonly workerId: string; readonly expiresAt: Date };

/** The request that made a job, by the ids that log lines and spans carry. */
export type Origin = {
  readonly requestId?: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
};

/** A job with what only the jobs service needs. */
export type JobRecord = Job & {
  readonly lease: Lease | null;
  /** Attempts that ended in an error or a lost lease; a run handed back in good order does not count. */
  readonly failedAttempts: number;
  /** Sequence of the last progress report of this attempt that was applied. */
  readonly reportSequence: number;
  /** While queued: whether a work message was sent for it. */
  readonly isDispatched: boolean;
  /** While queued: when it may be dispatched, or, once it is, when its work message must be made sure of. */
  readonly dispatchAt: Date | null;
  /** What a search finds it by. */
  readonly words: readonly string[];
  /** Page and manifest do not yet follow the metadata of this version; `checkAt` is when to ask again. */
  readonly refresh: { readonly version: number; readonly checkAt: Date } | null;
  /** What is done for the job when nobody asks for it, such as queueing it again, is put down to this request. */
  readonly origin: Origin | null;
};

export type NewJob = {
  readonly id: JobId;
  readonly ownerId: OwnerId;
  readonly spec: JobSpec;
  readonly priority: JobPriority;
  readonly parentJobId: JobId | null;
  readonly batchId: BatchId | null;
  readonly runAt: Date | null;
  readonly origin?: Origin;
};

/** The creation time, in ms since 1970, that a UUIDv7 carries in its first 48 bits (RFC 9562 §5.7). */
export const timeOfId = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const isJobId = (text: string): text is JobId => UUID_V7.test(text);
export const isBatchId = (text: string): text is BatchId => UUID_V7.test(text);

/** How long a dispatched job may wait before the reconciler makes sure of its work message again, in ms. */
export const DISPATCH_CHECK_MS = 300_000;

/** A job that waits to be dispatched, at once or when its time comes. */
export const newRecord = (job: NewJob, now: Date): JobRecord => {
  const { id, ownerId, spec, priority, parentJobId, batchId, origin } = job;
  const runAt = job.runAt && job.runAt > now ? job.runAt : null;
  const createdAt = new Date(timeOfId(id));
  return {
    id,
    ownerId,
    version: 1,
    attempt: 0,
    state: 'queued',
    priority,
    spec,
    parentJobId,
    createdAt,
    updatedAt: later(createdAt, now),
    startedAt: null,
    finishedAt: null,
    failure: null,
    cancelReason: null,
    progress: null,
    steps: [],
    warnings: [],
    findings: [],
    artifacts: [],
    retryAt: null,
    batchId,
    runAt,
    lesson: null,
    narration: null,
    lease: null,
    failedAttempts: 0,
    reportSequence: 0,
    isDispatched: false,
    dispatchAt: runAt ?? now,
    words: searchWords([spec.md]),
    refresh: null,
    origin: origin ?? null,
  };
};

/** Clocks differ between machines; a job's times never run backwards. */
export const later = (a: Date, b: Date): Date => (a > b ? a : b);
