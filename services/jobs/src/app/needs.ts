import type { Batch } from '../domain/batch.ts';
import type { Change } from '../domain/changes.ts';
import type { BatchId, Job, JobId, JobPriority, JobRecord, JobState, OwnerId } from '../domain/job.ts';
import type { TimelineEntry } from '../domain/timeline.ts';

/** Whose jobs a caller reaches. */
export type Scope = { readonly ownerId: OwnerId } | 'everyone';

export type JobFilter = {
  readonly states: readonly JobState[];
  readonly preset: string | null;
  readonly mode: string | null;
  readonly notionDatabase: string | null;
  readonly parentJobId: string | null;
  readonly createdFrom: Date | null;
  readonly createdTo: Date | null;
  readonly finishedFrom: Date | null;
  readonly finishedTo: Date | null;
  readonly hasError: boolean | null;
  readonly batchId: string | null;
  readonly priority: JobPriority | null;
  /** Words that must all be there, as `searchWords` gives them; null when nothing is searched for. */
  readonly words: readonly string[] | null;
};

export type JobSort = '-createdAt' | 'createdAt' | '-updatedAt' | 'updatedAt';

/** Where a page ends: the last job's sort value (ms) and id. */
export type Position = { readonly value: number; readonly id: string };

/**
 * The jobs and their outbox.
 *   S1. A change and the messages it causes are one write of one document.
 *   S2. A write is guarded by the version it was decided on; the loser decides again.
 */
export type JobStore = {
  /** Stores jobs that do not exist yet, and answers what is stored under their ids. */
  readonly create: (records: readonly JobRecord[]) => Promise<readonly JobRecord[]>;
  readonly find: (id: JobId) => Promise<JobRecord | null>;
  /** Null when there is no such job. */
  readonly timeline: (
    id: JobId,
  ) => Promise<{ readonly job: JobRecord; readonly entries: readonly TimelineEntry[] } | null>;
  /** Adds to a job's timeline what no change of the job tells. The same entry twice is kept once. */
  readonly note: (id: JobId, entry: TimelineEntry) => Promise<void>;
  /** Applies what `decide` wants; null when there is no such job or nothing to change. */
  readonly change: (
    id: JobId,
    decide: (job: JobRecord) => Change | null,
  ) => Promise<{ readonly job: JobRecord; readonly changed: boolean } | null>;
  /** Puts the end of leases off; answers the records as they are, in order (null: no such job). */
  readonly renew: (
    workerId: string,
    runs: readonly { id: JobId; attempt: number }[],
    expiresAt: Date,
  ) => Promise<readonly (JobRecord | null)[]>;
  readonly list: (
    scope: Scope,
    filter: JobFilter,
    page: { sort: JobSort; after: Position | null; limit: number },
  ) => Promise<{ readonly jobs: readonly Job[]; readonly total: number }>;
  /** How many jobs of an owner are running. */
  readonly running: (ownerId: OwnerId) => Promise<number>;
  readonly stats: () => Promise<{
    readonly states: ReadonlyMap<JobState, number>;
    readonly oldestQueuedAt: Date | null;
  }>;
};

/** Batches, and what is known of their jobs. */
export type BatchStore = {
  /**
   * Stores a batch and all its jobs, or nothing. Answers what is stored under the batch's id; null when a job's id is
   * taken by a job that is not of this batch.
   */
  readonly create: (
    batch: {
      readonly id: BatchId;
      readonly ownerId: OwnerId;
      readonly name: string | null;
      readonly createdAt: Date;
    },
    records: readonly JobRecord[],
  ) => Promise<{ readonly batch: Batch; readonly jobIds: readonly JobId[] } | null>;
  /** As it stands now. */
  readonly find: (scope: Scope, id: BatchId) => Promise<Batch | null>;
  /** Latest first, those made before `before`; counts as of their last event. */
  readonly list: (
    scope: Scope,
    page: { readonly before: string | null; readonly limit: number },
  ) => Promise<readonly Batch[]>;
  readonly jobsIn: (id: BatchId, states: readonly JobState[]) => Promise<readonly JobId[]>;
  /** The latest attempt at each failed job that was tried again, by that job's id. */
  readonly retries: (id: BatchId) => Promise<Readonly<Record<string, JobId>>>;
  /** Decides which of many callers tries a failed job again: true when `to` now follows `from`. */
  readonly claimRetry: (id: BatchId, jobId: JobId, from: JobId | null, to: JobId) => Promise<boolean>;
};

/** The record of deletions. */
export type DeletionStore = {
  readonly record: (
    job: JobRecord,
    why: { readonly actor: string; readonly reason: 'request' | 'retention' },
  ) => Promise<void>;
  /** Deletes the job itself; false while it runs or has events that are not published. */
  readonly remove: (id: JobId) => Promise<boolean>;
  /** Takes a deletion back that did not take place. */
  readonly withdraw: (id: JobId) => Promise<void>;
  /** A worker has deleted what the job had made. */
  readonly purged: (id: JobId) => Promise<void>;
};

/** A message that could not be handled. */
export type DeadLetter = {
  readonly id: string;
  readonly subject: string;
  readonly schema: string;
  readonly consumer: string;
  readonly reason: string;
  readonly deadAt: Date;
  readonly bytes: number;
};

export type DeadLetters = {
  /** Latest first, those before `before`; null when that is no letter's id. */
  readonly list: (
    page: { readonly before: string | null; readonly limit: number },
    signal: AbortSignal,
  ) => Promise<{ readonly letters: readonly DeadLetter[]; readonly total: number } | null>;
  readonly get: (id: string) => Promise<{
    readonly letter: DeadLetter;
    readonly payload: Uint8Array;
    readonly json: string;
  } | null>;
  /** Sends it again and answers where to; null when there is none. */
  readonly redrive: (id: string) => Promise<string | null>;
  readonly drop: (id: string) => Promise<boolean>;
};

export type Clock = () => Date;
