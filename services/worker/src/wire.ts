import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { RunResultSchema } from '@esl-pipeline/contracts/esl/events/v1/run_events';
import * as pb from '@esl-pipeline/contracts/esl/jobs/v1/job';
import {
  ARTIFACT_KIND_VALUE,
  SEVERITY_VALUE,
  STEP_STATE_VALUE,
} from '@esl-pipeline/contracts/http/job-words';
import type { Finding } from './lesson/findings.ts';
import type { CastEntry } from './narration/casting.ts';
import type {
  Artifact,
  JobSpec,
  NarrationSummary,
  RunJob,
  RunResult,
  Step,
  StepName,
  Warning,
} from './pipeline/run.ts';
import type { RunEnd, RunProgress } from './pipeline/run-pipeline.ts';

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
  ownerId: job.ownerId,
  parentJobId: job.parentJobId ?? null,
  spec: specFromWire(job.spec),
});

const stepToWire = ({ name, state, startedAt, finishedAt, detail }: Step) =>
  create(pb.StepSchema, {
    name,
    state: STEP_STATE_VALUE[state],
    ...(startedAt && { startedAt: timestampFromDate(startedAt) }),
    ...(finishedAt && { finishedAt: timestampFromDate(finishedAt) }),
    ...(detail !== null && { detail }),
  });

export const findingToWire = ({ code, severity, message, line, path }: Finding) =>
  create(pb.FindingSchema, {
    code,
    severity: SEVERITY_VALUE[severity],
    message,
    line,
    ...(path !== undefined && { path }),
  });

export const warningToWire = (warning: Warning) => create(pb.WarningSchema, warning);

export const artifactToWire = ({ kind, key, url, contentType, bytes, sha256 }: Artifact) =>
  create(pb.ArtifactSchema, {
    kind: ARTIFACT_KIND_VALUE[kind],
    ...(key !== null && { key }),
    ...(url !== null && { url }),
    contentType,
    bytes: BigInt(bytes),
    sha256,
  });

const narrationToWire = ({ cast, durationMs, ...told }: NarrationSummary) =>
  create(pb.NarrationSchema, {
    ...told,
    durationMs: BigInt(durationMs),
    cast: cast.map(castMemberToWire),
  });

export const castMemberToWire = ({ speaker, voiceId, voiceName, source }: CastEntry) => ({
  speaker,
  voiceId,
  voiceName,
  source,
});

export const resultToWire = (result: RunResult): MessageInitShape<typeof RunResultSchema> => ({
  steps: result.steps.map(stepToWire),
  warnings: result.warnings.map(warningToWire),
  findings: result.findings.map(findingToWire),
  artifacts: result.artifacts.map(artifactToWire),
  ...(result.narration && { narration: narrationToWire(result.narration) }),
  ...(result.lesson && { lesson: result.lesson }),
});

export const progressToWire = ({ steps, progress, lesson }: RunProgress) => ({
  steps: steps.map(stepToWire),
  ...(progress && { progress: create(pb.ProgressSchema, progress) }),
  ...(lesson && { lesson: create(pb.LessonSummarySchema, lesson) }),
});

export const failureToWire = ({ error, step }: Extract<RunEnd, { kind: 'failed' }>) =>
  create(pb.FailureSchema, {
    code: error.code,
    message: error.message,
    retryable: error.retryable,
    ...(step !== null && { step: step satisfies StepName }),
  });
