import { create, toBinary } from '@bufbuild/protobuf';
import { type Timestamp, timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt';
import { CHANNELS, type WorkPriority } from '@esl-pipeline/contracts/bus';
import * as pb from '@esl-pipeline/contracts/esl/jobs/v1/job';
import type { Change, RunResult } from './domain/changes.ts';
import type {
  Artifact,
  Failure,
  Finding,
  Job,
  JobPriority,
  JobRecord,
  JobSpec,
  JobState,
  Progress,
  Step,
  StepState,
  Warning,
} from './domain/job.ts';

type Inverse<T extends Record<string, number>> = { readonly [K in keyof T as T[K]]: K };

const invert = <T extends Record<string, number>>(table: T) =>
  Object.fromEntries(Object.entries(table).map(([name, value]) => [value, name])) as Inverse<T>;

const STATE = {
  queued: pb.JobState.QUEUED,
  running: pb.JobState.RUNNING,
  succeeded: pb.JobState.SUCCEEDED,
  failed: pb.JobState.FAILED,
  cancelled: pb.JobState.CANCELLED,
} as const satisfies Record<JobState, pb.JobState>;

const PRIORITY = {
  high: pb.JobPriority.HIGH,
  normal: pb.JobPriority.NORMAL,
  low: pb.JobPriority.LOW,
} as const satisfies Record<JobPriority, pb.JobPriority>;

const STEP_STATE = {
  pending: pb.StepState.PENDING,
  running: pb.StepState.RUNNING,
  succeeded: pb.StepState.SUCCEEDED,
  skipped: pb.StepState.SKIPPED,
  failed: pb.StepState.FAILED,
  cancelled: pb.StepState.CANCELLED,
} as const satisfies Record<StepState, pb.StepState>;

const SEVERITY = { error: pb.FindingSeverity.ERROR, warning: pb.FindingSeverity.WARNING } as const;
const KIND = {
  page: pb.ArtifactKind.PAGE,
  audio: pb.ArtifactKind.AUDIO,
  manifest: pb.ArtifactKind.MANIFEST,
} as const;

const STATE_OF: Readonly<Record<number, JobState>> = invert(STATE);
const PRIORITY_OF: Readonly<Record<number, JobPriority>> = invert(PRIORITY);
const STEP_STATE_OF: Readonly<Record<number, StepState>> = invert(STEP_STATE);
const SEVERITY_OF: Readonly<Record<number, Finding['severity']>> = invert(SEVERITY);
const KIND_OF: Readonly<Record<number, Artifact['kind']>> = invert(KIND);

export const stateToWire = (state: JobState): pb.JobState => STATE[state];
export const stateFromWire = (state: pb.JobState): JobState | null => STATE_OF[state] ?? null;
export const priorityFromWire = (priority: pb.JobPriority): JobPriority => PRIORITY_OF[priority] ?? 'normal';

const time = (date: Date | null): Timestamp | undefined => (date ? timestampFromDate(date) : undefined);
export const dateOf = (timestamp: Timestamp | undefined): Date | null =>
  timestamp ? timestampDate(timestamp) : null;

/** Leaves out what is null: protobuf has no null, and an unset field is the same thing. */
const said = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };

export const jobToWire = (job: Job): pb.Job =>
  create(pb.JobSchema, {
    ...said({
      parentJobId: job.parentJobId,
      startedAt: time(job.startedAt),
      finishedAt: time(job.finishedAt),
      failure: job.failure && create(pb.FailureSchema, said(job.failure)),
      cancelReason: job.cancelReason,
      progress: job.progress && create(pb.ProgressSchema, job.progress),
      retryAt: time(job.retryAt),
    }),
    id: job.id,
    ownerId: job.ownerId,
    version: job.version,
    attempt: job.attempt,
    state: STATE[job.state],
    priority: PRIORITY[job.priority],
    spec: create(pb.JobSpecSchema, said(job.spec)),
    createdAt: timestampFromDate(job.createdAt),
    updatedAt: timestampFromDate(job.updatedAt),
    steps: job.steps.map((step) =>
      create(pb.StepSchema, {
        ...said({ startedAt: time(step.startedAt), finishedAt: time(step.finishedAt), detail: step.detail }),
        name: step.name,
        state: STEP_STATE[step.state],
      }),
    ),
    warnings: job.warnings.map((warning) => create(pb.WarningSchema, warning)),
    findings: job.findings.map((finding) =>
      create(pb.FindingSchema, {
        ...said({ path: finding.path }),
        code: finding.code,
        severity: SEVERITY[finding.severity],
        message: finding.message,
        line: finding.line,
      }),
    ),
    artifacts: job.artifacts.map((artifact) =>
      create(pb.ArtifactSchema, {
        ...said(artifact),
        kind: KIND[artifact.kind],
        bytes: BigInt(artifact.bytes),
      }),
    ),
  });

export const specFromWire = (spec: pb.JobSpec): JobSpec => ({
  md: spec.md,
  lessonKey: spec.lessonKey,
  preset: spec.preset ?? null,
  withTts: spec.withTts,
  upload: spec.upload ?? null,
  voiceId: spec.voiceId ?? null,
  voiceAccent: spec.voiceAccent ?? null,
  forceTts: spec.forceTts ?? null,
  notionDatabase: spec.notionDatabase ?? null,
  mode: spec.mode ?? null,
});

export const failureFromWire = (failure: pb.Failure): Failure => ({
  code: failure.code,
  message: failure.message,
  step: failure.step ?? null,
  retryable: failure.retryable,
});

export const progressFromWire = ({ step, done, total }: pb.Progress): Progress => ({ step, done, total });

export const stepFromWire = (step: pb.Step): Step => ({
  name: step.name,
  state: STEP_STATE_OF[step.state] ?? 'pending',
  startedAt: dateOf(step.startedAt),
  finishedAt: dateOf(step.finishedAt),
  detail: step.detail ?? null,
});

export const warningFromWire = ({ code, message }: pb.Warning): Warning => ({ code, message });

export const artifactFromWire = (artifact: pb.Artifact): Artifact[] => {
  const kind = KIND_OF[artifact.kind];
  if (!kind) return [];
  const { key, url, contentType, bytes, sha256 } = artifact;
  return [{ kind, key: key ?? null, url: url ?? null, contentType, bytes: Number(bytes), sha256 }];
};

const findingFromWire = ({ code, severity, message, line, path }: pb.Finding): Finding => ({
  code,
  severity: SEVERITY_OF[severity] ?? 'error',
  message,
  line,
  path: path ?? null,
});

export const resultFromWire = (
  result:
    | { steps: pb.Step[]; warnings: pb.Warning[]; findings: pb.Finding[]; artifacts: pb.Artifact[] }
    | undefined,
): RunResult => ({
  steps: result?.steps.map(stepFromWire) ?? [],
  warnings: result?.warnings.map(warningFromWire) ?? [],
  findings: result?.findings.map(findingFromWire) ?? [],
  artifacts: result?.artifacts.flatMap(artifactFromWire) ?? [],
});

/** A message that waits in a job's document until JetStream has it. */
export type OutboxEntry = {
  /** Also the Nats-Msg-Id. */
  readonly id: string;
  readonly version: number;
  readonly channel: keyof typeof CHANNELS;
  readonly payload: Uint8Array;
};

const FACT_CHANNEL = {
  created: 'jobCreated',
  state_changed: 'jobStateChanged',
  progress: 'jobProgressed',
  updated: 'jobUpdated',
} as const satisfies Record<Change['fact'], keyof typeof CHANNELS>;

const RUN_CHANNEL = { high: 'runHigh', normal: 'runNormal', low: 'runLow' } as const satisfies Record<
  WorkPriority,
  keyof typeof CHANNELS
>;

export const factEntry = (job: Job, fact: Change['fact'], from: JobState | null): OutboxEntry => {
  const id = `${job.id}:${job.version}:${fact}`;
  const channel = FACT_CHANNEL[fact];
  const common = {
    eventId: id,
    jobId: job.id,
    ownerId: job.ownerId,
    version: job.version,
    occurredAt: timestampFromDate(job.updatedAt),
    job: jobToWire(job),
  };
  const { schema } = CHANNELS[channel];
  const message = create(
    schema,
    fact === 'state_changed' && from ? { ...common, from: STATE[from] } : common,
  );
  return { id, version: job.version, channel, payload: toBinary(schema, message) };
};

export const workEntry = (job: JobRecord, work: 'run' | 'refresh'): OutboxEntry => {
  const channel = work === 'run' ? RUN_CHANNEL[job.priority] : 'refresh';
  const { schema } = CHANNELS[channel];
  const common = { jobId: job.id, ownerId: job.ownerId, occurredAt: timestampFromDate(job.updatedAt) };
  const message = create(schema, work === 'run' ? common : { ...common, version: job.version });
  return {
    id: `${job.id}:${job.version}:${work}`,
    version: job.version,
    channel,
    payload: toBinary(schema, message),
  };
};
