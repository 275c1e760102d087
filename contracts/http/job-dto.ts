import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import * as pb from '../gen/esl/jobs/v1/job_pb.ts';
import type { Job } from './job.ts';
import type { Artifact } from './job-control.ts';
import type { JobEvent, JobEventType } from './job-events.ts';
import { ARTIFACT_KIND_WORD, JOB_PRIORITY_WORD, JOB_STATE_WORD, STEP_STATE_WORD } from './job-words.ts';

/** Makes the addresses that a job carries. */
export type JobLinks = {
  /** To a path of the HTTP API. */
  readonly to: (path: string) => string;
  /** To a blob, for anyone who has the link, as long as it holds; null where none can be made. */
  readonly file: (key: string, updatedAtMs: number) => string | null;
};

const time = (at: Timestamp): string => timestampDate(at).toISOString();
const timeOrNull = (at: Timestamp | undefined): string | null => (at ? time(at) : null);

/** Protobuf leaves out what is not set; clients get null. Jobs always sends what is required here. */
const required = <T>(value: T | undefined, what: string): T => {
  if (value === undefined) throw new Error(`a job without ${what}`);
  return value;
};

/** Links to what a job made, the same for everyone who reads this version of it. */
const linksOf = ({ updatedAt }: pb.Job, links: JobLinks) => {
  const updatedAtMs = timestampDate(required(updatedAt, 'updatedAt')).getTime();
  return (made: pb.Artifact | undefined): string | null =>
    made?.url ?? (made?.key ? links.file(made.key, updatedAtMs) : null);
};

/** What a job made, as clients see it; what has no address is left out. */
export const artifactDtos = (job: pb.Job, links: JobLinks): Artifact[] => {
  const linkTo = linksOf(job, links);
  return job.artifacts.flatMap((made) => {
    const kind = ARTIFACT_KIND_WORD[made.kind];
    const url = linkTo(made);
    if (!kind || url === null) return [];
    const { contentType, bytes, sha256 } = made;
    return [{ kind, url, contentType, bytes: Number(bytes), sha256: sha256 || null }];
  });
};

export const findingDto = ({ code, severity, message, line, path }: pb.Finding): Job['findings'][number] => ({
  code,
  severity: severity === pb.FindingSeverity.WARNING ? 'warning' : 'error',
  message,
  line,
  path: path ?? null,
});

const narrationDto = (narration: pb.Narration): NonNullable<Job['narration']> => ({
  engine: narration.engine,
  mode: narration.mode,
  characters: narration.characters,
  billedCharacters: narration.billedCharacters,
  durationMs: Number(narration.durationMs),
  cast: narration.cast.map(({ speaker, voiceId, voiceName, source }) => ({
    speaker,
    voiceId,
    voiceName,
    source,
  })),
});

/** A job as clients see it. */
export const jobDto = (job: pb.Job, links: JobLinks): Job => {
  const spec = required(job.spec, 'spec');
  const updatedAt = required(job.updatedAt, 'updatedAt');
  const artifact = (kind: pb.ArtifactKind) => job.artifacts.find((each) => each.kind === kind);
  const linkTo = linksOf(job, links);
  const page = linkTo(artifact(pb.ArtifactKind.PAGE));
  const audio = linkTo(artifact(pb.ArtifactKind.AUDIO));
  const manifest = artifact(pb.ArtifactKind.MANIFEST);
  return {
    jobId: job.id,
    md: spec.md,
    preset: spec.preset ?? null,
    withTts: spec.withTts,
    voiceId: spec.voiceId ?? null,
    upload: (spec.upload as Job['upload'] | undefined) ?? null,
    voiceAccent: spec.voiceAccent ?? null,
    forceTts: spec.forceTts ?? null,
    notionDatabase: spec.notionDatabase ?? null,
    mode: (spec.mode as Job['mode'] | undefined) ?? null,
    notionUrl: page,
    state: required(JOB_STATE_WORD[job.state], 'state'),
    createdAt: time(required(job.createdAt, 'createdAt')),
    updatedAt: time(updatedAt),
    startedAt: timeOrNull(job.startedAt),
    finishedAt: timeOrNull(job.finishedAt),
    error: job.failure?.message ?? null,
    manifestPath: manifest?.key ?? manifest?.url ?? null,
    parentJobId: job.parentJobId ?? null,
    batchId: job.batchId ?? null,
    priority: JOB_PRIORITY_WORD[job.priority] ?? 'normal',
    runAt: timeOrNull(job.runAt),
    title: job.lesson?.title || null,
    student: job.lesson?.student || null,
    level: job.lesson?.level || null,
    topic: job.lesson?.topic || null,
    attempt: job.attempt,
    errorCode: job.failure?.code ?? null,
    errorStep: job.failure?.step ?? null,
    cancelReason: job.cancelReason ?? null,
    retryAt: timeOrNull(job.retryAt),
    pageUrl: page,
    audioUrl: audio,
    progress: job.progress
      ? { step: job.progress.step, done: job.progress.done, total: job.progress.total }
      : null,
    steps: job.steps.map((step) => ({
      name: step.name,
      state: STEP_STATE_WORD[step.state] ?? 'pending',
      startedAt: timeOrNull(step.startedAt),
      finishedAt: timeOrNull(step.finishedAt),
      detail: step.detail ?? null,
    })),
    warnings: job.warnings.map(({ code, message }) => ({ code, message })),
    findings: job.findings.map(findingDto),
    narration: job.narration ? narrationDto(job.narration) : null,
    links: {
      self: links.to(`/jobs/${job.id}`),
      page,
      audio,
      manifest: linkTo(manifest),
      transcript: linkTo(artifact(pb.ArtifactKind.TRANSCRIPT)),
    },
  };
};

/** The data of a job event: the job, and the few fields that the first client reads. */
export const jobEventDto = (type: JobEventType, job: Job): JobEvent => {
  const { jobId, state, ...rest } = job;
  const { manifestPath, error, finishedAt, mode, md, notionUrl } = job;
  const payload = { manifestPath, error, finishedAt, mode, md, notionUrl };
  return { type, jobId, state, payload, ...rest };
};
