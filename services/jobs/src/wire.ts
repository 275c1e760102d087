import { create, toBinary, type MessageShape as Wire } from '@bufbuild/protobuf';
import { type Timestamp, timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt';
import { said } from '@esl/kit/said';
import { CHANNELS, type WorkPriority } from '@esl-pipeline/contracts/bus';
import type * as events from '@esl-pipeline/contracts/esl/events/v1/run_events';
import { BatchCountsSchema, BatchSchema, BatchState } from '@esl-pipeline/contracts/esl/jobs/v1/batch';
import * as pb from '@esl-pipeline/contracts/esl/jobs/v1/job';
import {
  ActionEntrySchema,
  AttemptEntry_Outcome,
  AttemptEntrySchema,
  StateEntrySchema,
  StepEntrySchema,
  TimelineEntrySchema,
} from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import {
  ARTIFACT_KIND_VALUE,
  ARTIFACT_KIND_WORD,
  JOB_PRIORITY_VALUE,
  JOB_PRIORITY_WORD,
  JOB_STATE_VALUE,
  JOB_STATE_WORD,
  SEVERITY_VALUE,
  SEVERITY_WORD,
  STEP_STATE_VALUE,
  STEP_STATE_WORD,
} from '@esl-pipeline/contracts/http/job-words';
import { type Batch, totalOf } from './domain/batch.ts';
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
  LessonSummary,
  Narration,
  Origin,
  Progress,
  Step,
  Warning,
} from './domain/job.ts';
import type { AttemptOutcome, TimelineEntry } from './domain/timeline.ts';

export const stateToWire = (state: JobState): pb.JobState => JOB_STATE_VALUE[state];
export const stateFromWire = (state: pb.JobState): JobState | null => JOB_STATE_WORD[state] ?? null;
export const priorityFromWire = (priority: pb.JobPriority): JobPriority =>
  JOB_PRIORITY_WORD[priority] ?? 'normal';

/** Null when nothing was said of it. */
export const saidPriorityFromWire = (priority: pb.JobPriority): JobPriority | null =>
  JOB_PRIORITY_WORD[priority] ?? null;
export const priorityToWire = (priority: JobPriority): pb.JobPriority => JOB_PRIORITY_VALUE[priority];

export const time = (date: Date | null): Timestamp | undefined =>
  date ? timestampFromDate(date) : undefined;
export const dateOf = (timestamp: Timestamp | undefined): Date | null =>
  timestamp ? timestampDate(timestamp) : null;

const narrationToWire = ({ durationMs, cast, ...told }: Narration): pb.Narration =>
  create(pb.NarrationSchema, { ...told, durationMs: BigInt(durationMs), cast: [...cast] });

const narrationFromWire = (narration: pb.Narration | undefined): Narration | null => {
  if (!narration) return null;
  const { engine, mode, characters, billedCharacters, durationMs, cast } = narration;
  return {
    engine,
    mode,
    characters,
    billedCharacters,
    durationMs: Number(durationMs),
    cast: cast.map(({ speaker, voiceId, voiceName, source }) => ({ speaker, voiceId, voiceName, source })),
  };
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
      batchId: job.batchId,
      runAt: time(job.runAt),
      lesson: job.lesson && create(pb.LessonSummarySchema, job.lesson),
      narration: job.narration && narrationToWire(job.narration),
    }),
    id: job.id,
    ownerId: job.ownerId,
    version: job.version,
    attempt: job.attempt,
    state: JOB_STATE_VALUE[job.state],
    priority: JOB_PRIORITY_VALUE[job.priority],
    spec: create(pb.JobSpecSchema, said(job.spec)),
    createdAt: timestampFromDate(job.createdAt),
    updatedAt: timestampFromDate(job.updatedAt),
    steps: job.steps.map((step) =>
      create(pb.StepSchema, {
        ...said({ startedAt: time(step.startedAt), finishedAt: time(step.finishedAt), detail: step.detail }),
        name: step.name,
        state: STEP_STATE_VALUE[step.state],
      }),
    ),
    warnings: job.warnings.map((warning) => create(pb.WarningSchema, warning)),
    findings: job.findings.map((finding) =>
      create(pb.FindingSchema, {
        ...said({ path: finding.path }),
        code: finding.code,
        severity: SEVERITY_VALUE[finding.severity],
        message: finding.message,
        line: finding.line,
      }),
    ),
    artifacts: job.artifacts.map((artifact) =>
      create(pb.ArtifactSchema, {
        ...said(artifact),
        kind: ARTIFACT_KIND_VALUE[artifact.kind],
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

export const lessonFromWire = (lesson: pb.LessonSummary | undefined): LessonSummary | null => {
  if (!lesson) return null;
  const { title, student, level, topic } = lesson;
  return { title, student, level, topic };
};

export const progressFromWire = ({ step, done, total }: pb.Progress): Progress => ({ step, done, total });

export const stepFromWire = (step: pb.Step): Step => ({
  name: step.name,
  state: STEP_STATE_WORD[step.state] ?? 'pending',
  startedAt: dateOf(step.startedAt),
  finishedAt: dateOf(step.finishedAt),
  detail: step.detail ?? null,
});

export const warningFromWire = ({ code, message }: pb.Warning): Warning => ({ code, message });

export const artifactFromWire = (artifact: pb.Artifact): Artifact[] => {
  const kind = ARTIFACT_KIND_WORD[artifact.kind];
  if (!kind) return [];
  const { key, url, contentType, bytes, sha256 } = artifact;
  return [{ kind, key: key ?? null, url: url ?? null, contentType, bytes: Number(bytes), sha256 }];
};

const findingFromWire = ({ code, severity, message, line, path }: pb.Finding): Finding => ({
  code,
  severity: SEVERITY_WORD[severity] ?? 'error',
  message,
  line,
  path: path ?? null,
});

export const resultFromWire = (result: events.RunResult | undefined): RunResult => ({
  steps: result?.steps.map(stepFromWire) ?? [],
  warnings: result?.warnings.map(warningFromWire) ?? [],
  findings: result?.findings.map(findingFromWire) ?? [],
  artifacts: result?.artifacts.flatMap(artifactFromWire) ?? [],
  lesson: lessonFromWire(result?.lesson),
  narration: narrationFromWire(result?.narration),
});

/** A message that waits in a job's document until JetStream has it. */
export type OutboxEntry = {
  /** Also the Nats-Msg-Id. */
  readonly id: string;
  readonly version: number;
  readonly channel: keyof typeof CHANNELS;
  readonly payload: Uint8Array;
  /** The request that caused it: whoever publishes it, however late, does so in its name. */
  readonly origin?: Origin;
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
    fact === 'state_changed' && from ? { ...common, from: JOB_STATE_VALUE[from] } : common,
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

export const batchToWire = (batch: Batch): Wire<typeof BatchSchema> =>
  create(BatchSchema, {
    ...said({ name: batch.name, finishedAt: time(batch.finishedAt), etaSeconds: batch.etaSeconds }),
    id: batch.id,
    ownerId: batch.ownerId,
    version: batch.version,
    total: totalOf(batch.counts),
    counts: create(BatchCountsSchema, batch.counts),
    state: batch.finishedAt ? BatchState.FINISHED : BatchState.RUNNING,
    createdAt: timestampFromDate(batch.createdAt),
  });

const BATCH_CHANNEL = { batch_updated: 'batchUpdated', batch_finished: 'batchFinished' } as const;

export const batchEntry = (batch: Batch, fact: keyof typeof BATCH_CHANNEL, at: Date): OutboxEntry => {
  const id = `${batch.id}:${batch.version}:${fact}`;
  const channel = BATCH_CHANNEL[fact];
  const { schema } = CHANNELS[channel];
  const message = create(schema, {
    eventId: id,
    batchId: batch.id,
    ownerId: batch.ownerId,
    version: batch.version,
    occurredAt: timestampFromDate(at),
    batch: batchToWire(batch),
  });
  return { id, version: batch.version, channel, payload: toBinary(schema, message) };
};

const OUTCOME = {
  started: AttemptEntry_Outcome.STARTED,
  failed: AttemptEntry_Outcome.FAILED,
  released: AttemptEntry_Outcome.RELEASED,
  succeeded: AttemptEntry_Outcome.SUCCEEDED,
  cancelled: AttemptEntry_Outcome.CANCELLED,
} as const satisfies Record<AttemptOutcome, AttemptEntry_Outcome>;

const entryToWire = (entry: TimelineEntry): Wire<typeof TimelineEntrySchema>['entry'] => {
  switch (entry.kind) {
    case 'state': {
      const from = entry.from ? { from: JOB_STATE_VALUE[entry.from] } : {};
      return {
        case: 'state',
        value: create(StateEntrySchema, { state: JOB_STATE_VALUE[entry.state], ...from }),
      };
    }
    case 'step': {
      const { name, attempt, detail } = entry;
      const state = STEP_STATE_VALUE[entry.state];
      return { case: 'step', value: create(StepEntrySchema, { name, attempt, state, ...said({ detail }) }) };
    }
    case 'attempt': {
      const failure = entry.failure && create(pb.FailureSchema, said(entry.failure));
      const more = said({ failure, retryAt: time(entry.retryAt) });
      const outcome = OUTCOME[entry.outcome];
      return {
        case: 'attempt',
        value: create(AttemptEntrySchema, { attempt: entry.attempt, outcome, ...more }),
      };
    }
    case 'action': {
      const { type, actor, detail } = entry;
      return { case: 'action', value: create(ActionEntrySchema, { type, actor, ...said({ detail }) }) };
    }
  }
};

export const timelineToWire = (entries: readonly TimelineEntry[]): Wire<typeof TimelineEntrySchema>[] =>
  entries.map((entry) =>
    create(TimelineEntrySchema, { at: timestampFromDate(entry.at), entry: entryToWire(entry) }),
  );
