import type { Change } from '../domain/changes.ts';
import type { Job, JobId, JobRecord, JobState, OwnerId } from '../domain/job.ts';

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
  readonly stats: () => Promise<{
    readonly states: ReadonlyMap<JobState, number>;
    readonly oldestQueuedAt: Date | null;
  }>;
};

export type Clock = () => Date;
