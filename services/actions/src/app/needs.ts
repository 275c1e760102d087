import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { Outcome } from '@esl/kit/outcome';
import type { Job, JobSpec } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import type { NewJobSchema, ScopeSchema } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import type { JobState } from '@esl-pipeline/contracts/http/job';

/** Whose jobs the caller reaches; the jobs service keeps to it. */
export type Scope = MessageShape<typeof ScopeSchema>;

/** A job, and on whose behalf it is reached. */
export type Target = {
  readonly scope: Scope;
  readonly job: Job;
  readonly spec: JobSpec;
  readonly state: JobState;
};

/** A target, who acts on it, and the id of the job that the action makes, if it makes one. */
export type Aim = Target & { readonly actorId: string; readonly newJobId: string };

/** What became of a change: the state the job was in when it could not be made. */
export type Change = Outcome<null, 'job_not_found'> | { readonly ok: false; readonly blockedBy: string };

/** The jobs service. */
export type Jobs = {
  readonly find: (
    scope: Scope | undefined,
    jobId: string,
    signal: AbortSignal,
  ) => Promise<Outcome<Target, 'job_not_found' | 'scope_required' | 'unavailable'>>;
  readonly create: (job: MessageInitShape<typeof NewJobSchema>, signal: AbortSignal) => Promise<void>;
  readonly cancel: (aim: Aim, reason: string | null, signal: AbortSignal) => Promise<Change>;
  readonly edit: (
    aim: Aim,
    fields: { readonly preset: string | null; readonly notionDatabase: string | null },
    signal: AbortSignal,
  ) => Promise<Change>;
};

/** The catalog, as far as an edit needs it. */
export type Catalog = {
  /** Refuses a preset or database that does not exist for this owner; null is not looked at. */
  readonly check: (
    ownerId: string,
    fields: { readonly preset: string | null; readonly notionDatabase: string | null },
    signal: AbortSignal,
  ) => Promise<Outcome<null, 'unknown_preset' | 'unknown_notion_database' | 'unavailable'>>;
};

/** One line of the log of what was asked and what came of it. */
export type LoggedAction = {
  readonly jobId: string;
  readonly actorId: string;
  readonly type: string;
  /** As the action understood it; null when it did not. */
  readonly payload: object | null;
  /** `done`, `failed`, or the code of the refusal. */
  readonly outcome: string;
  readonly newJobId?: string;
  readonly at: Date;
};
export type ActionLog = { readonly append: (entry: LoggedAction) => Promise<void> };
