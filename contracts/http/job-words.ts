import * as pb from '../gen/esl/jobs/v1/job_pb.ts';
import type { JobState, STEP_STATES } from './job.ts';
import type { JobPriority } from './submit-job.ts';

// The word of each protobuf enum value, in HTTP, in events and in stored jobs alike, and the way back. A value that is
// not known here, such as one of a newer release, has no word.

type Words<Word extends string> = Readonly<Record<number, Word>>;

const wordsOf = <Word extends string>(values: Readonly<Record<Word, number>>): Words<Word> =>
  Object.fromEntries(Object.entries(values).map(([word, value]) => [value, word]));

export const JOB_STATE_VALUE = {
  queued: pb.JobState.QUEUED,
  running: pb.JobState.RUNNING,
  succeeded: pb.JobState.SUCCEEDED,
  failed: pb.JobState.FAILED,
  cancelled: pb.JobState.CANCELLED,
} as const satisfies Record<JobState, pb.JobState>;
export const JOB_STATE_WORD = wordsOf(JOB_STATE_VALUE);

export const JOB_PRIORITY_VALUE = {
  high: pb.JobPriority.HIGH,
  normal: pb.JobPriority.NORMAL,
  low: pb.JobPriority.LOW,
} as const satisfies Record<JobPriority, pb.JobPriority>;
export const JOB_PRIORITY_WORD = wordsOf(JOB_PRIORITY_VALUE);

export const STEP_STATE_VALUE = {
  pending: pb.StepState.PENDING,
  running: pb.StepState.RUNNING,
  succeeded: pb.StepState.SUCCEEDED,
  skipped: pb.StepState.SKIPPED,
  failed: pb.StepState.FAILED,
  cancelled: pb.StepState.CANCELLED,
} as const satisfies Record<(typeof STEP_STATES)[number], pb.StepState>;
export const STEP_STATE_WORD = wordsOf(STEP_STATE_VALUE);

export const SEVERITY_VALUE = {
  error: pb.FindingSeverity.ERROR,
  warning: pb.FindingSeverity.WARNING,
} as const;
export const SEVERITY_WORD = wordsOf(SEVERITY_VALUE);

export const ARTIFACT_KIND_VALUE = {
  page: pb.ArtifactKind.PAGE,
  audio: pb.ArtifactKind.AUDIO,
  manifest: pb.ArtifactKind.MANIFEST,
  transcript: pb.ArtifactKind.TRANSCRIPT,
} as const;
export const ARTIFACT_KIND_WORD = wordsOf(ARTIFACT_KIND_VALUE);
