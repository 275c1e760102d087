import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { RunResultSchema } from '@esl-pipeline/contracts/esl/events/v1/run_events';
import * as pb from '@esl-pipeline/contracts/esl/jobs/v1/job';
import type { Finding } from './lesson/findings.ts';
import type {
  Artifact,
  JobSpec,
  RunJob,
  RunResult,
  Step,
  StepName,
  StepState,
  Warning,
} from './pipeline/run.ts';
import type { RunEnd, RunProgress } from './pipeline/run-pipeline.ts';

const STEP_STATE = {
  pending: pb.StepState.PENDING,
  running: pb.StepState.RUNNING,
  succeeded: pb.StepState.SUCCEEDED,
  skipped: pb.StepState.SKIPPED,
  failed: pb.StepState.FAILED,
  cancelled: pb.StepState.CANCELLED,
} as const satisfies Record<StepState, pb.StepState>;

const KIND = {
  page: pb.ArtifactKind.PAGE,
  audio: pb.ArtifactKind.AUDIO,
  manifest: pb.ArtifactKind.MANIFEST,
} as const satisfies Record<Artifact['kind'], pb.ArtifactKind>;

const SEVERITY = {
  error: pb.FindingSeverity.ERROR,
  warning: pb.FindingSeverity.WARNING,
} as const satisfies Record<Finding['severity'], pb.FindingSeverity>;

export const specFromWire = (spec: pb.JobSpec | undefined): JobSpec => ({
  lessonKey: spec?.lessonKey ?? '',
  preset: spec?.preset ?? null,
  withTts: spec?.withTts ?? false,
  upload: spec?.upload ?? null,
  voiceId: spec?.voiceId ?? null,
  voiceAccent: spec?.voiceAccent ?? null,
  forceTts: spec?.forceTts ?? false,
  notionDatabase: spec?.notionDatabase ?? null,
  mode: spec?.mode ?? null,
});

export const runJobFromWire = (job: pb.Job): RunJob => ({
  id: job.id,
  attempt: job.attempt,
  parentJobId: job.parentJobId ?? null,
  spec: specFromWire(job.spec),
});

const stepToWire = ({ name, state, startedAt, finishedAt, detail }: Step) =>
  create(pb.StepSchema, {
    name,
    state: STEP_STATE[state],
    ...(startedAt && { startedAt: timestampFromDate(startedAt) }),
    ...(finishedAt && { finishedAt: timestampFromDate(finishedAt) }),
    ...(detail !== null && { detail }),
  });

export const findingToWire = ({ code, severity, message, line, path }: Finding) =>
  create(pb.FindingSchema, {
    code,
    severity: SEVERITY[severity],
    message,
    line,
    ...(path !== undefined && { path }),
  });

export const warningToWire = (warning: Warning) => create(pb.WarningSchema, warning);

export const artifactToWire = ({ kind, key, url, contentType, bytes, sha256 }: Artifact) =>
  create(pb.ArtifactSchema, {
    kind: KIND[kind],
    ...(key !== null && { key }),
    ...(url !== null && { url }),
    contentType,
    bytes: BigInt(bytes),
    sha256,
  });

export const resultToWire = (result: RunResult): MessageInitShape<typeof RunResultSchema> => ({
  steps: result.steps.map(stepToWire),
  warnings: result.warnings.map(warningToWire),
  findings: result.findings.map(findingToWire),
  artifacts: result.artifacts.map(artifactToWire),
});

export const progressToWire = ({ steps, progress }: RunProgress) => ({
  steps: steps.map(stepToWire),
  ...(progress && { progress: create(pb.ProgressSchema, progress) }),
});

export const failureToWire = ({ error, step }: Extract<RunEnd, { kind: 'failed' }>) =>
  create(pb.FailureSchema, {
    code: error.code,
    message: error.message,
    retryable: error.retryable,
    ...(step !== null && { step: step satisfies StepName }),
  });
