import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import * as pb from '../gen/esl/jobs/v1/job_pb.ts';
import { jobSchema } from './job.ts';
import { type JobLinks, jobDto, jobEventDto } from './job-dto.ts';
import { jobEventSchema } from './job-events.ts';

const id = '01890a5d-ac96-774b-bcce-b302099a8057';
const at = (seconds: number) => timestampFromDate(new Date(Date.UTC(2026, 2, 1, 8, 0, seconds)));
const links: JobLinks = {
  to: (path) => `here:${path}`,
  file: (key, updatedAtMs) => `file:${key}@${new Date(updatedAtMs).getUTCSeconds()}`,
};

const base = {
  id,
  ownerId: 'ana',
  version: 1,
  state: pb.JobState.QUEUED,
  spec: { md: 'a.md', lessonKey: 'lessons/ab/secret.md' },
  createdAt: at(0),
  updatedAt: at(0),
};
const least = create(pb.JobSchema, base);

const most = create(pb.JobSchema, {
  ...base,
  state: pb.JobState.FAILED,
  attempt: 2,
  parentJobId: id,
  batchId: id,
  priority: pb.JobPriority.HIGH,
  runAt: at(5),
  lesson: { title: 'The Lost Parcel', student: 'Mira', level: 'B1', topic: 'post' },
  narration: {
    engine: 'elevenlabs',
    mode: 'dialogue',
    characters: 180,
    billedCharacters: 90,
    durationMs: 12_345n,
    cast: [{ speaker: 'Ines', voiceId: 'v1', voiceName: 'Sarah', source: 'auto' }],
  },
  spec: {
    md: 'a.md',
    preset: 'calm-blue',
    withTts: true,
    upload: 's3',
    voiceId: 'Wren',
    voiceAccent: 'british',
    forceTts: false,
    notionDatabase: 'db',
    mode: 'dialogue',
  },
  startedAt: at(1),
  finishedAt: at(2),
  updatedAt: at(3),
  retryAt: at(4),
  failure: { code: 'narrator_down', message: 'The narrator did not answer.', step: 'tts', retryable: true },
  cancelReason: 'enough',
  progress: { step: 'tts', done: 1, total: 2 },
  steps: [{ name: 'tts', state: pb.StepState.FAILED, startedAt: at(1), detail: 'late' }],
  warnings: [{ code: 'upload_local', message: 'Stored here.' }],
  findings: [
    { code: 'SECTION_ORDER', severity: pb.FindingSeverity.WARNING, message: 'm', line: 3, path: 'title' },
  ],
  artifacts: [
    { kind: pb.ArtifactKind.PAGE, url: 'https://notion.example/page' },
    { kind: pb.ArtifactKind.AUDIO, key: 'audio/ab/x.mp3' },
    { kind: pb.ArtifactKind.MANIFEST, key: 'manifests/x.json' },
    { kind: pb.ArtifactKind.TRANSCRIPT, key: 'transcripts/ab/x.vtt' },
  ],
});

describe('a job as clients see it', () => {
  it('says null for all that is not there, and nothing of the inside', () => {
    const dto = jobDto(least, links);
    expect(jobSchema.strict().parse(dto)).toEqual(dto);
    expect(dto).toMatchObject({
      notionUrl: null,
      startedAt: null,
      error: null,
      progress: null,
      retryAt: null,
      batchId: null,
      priority: 'normal',
      runAt: null,
      title: null,
      narration: null,
    });
    expect(JSON.stringify(dto)).not.toMatch(/secret|ana/);
  });

  it('says everything there is', () => {
    const dto = jobDto(most, links);
    expect(jobSchema.strict().parse(dto)).toEqual(dto);
    expect(dto).toMatchObject({
      jobId: id,
      md: 'a.md',
      upload: 's3',
      forceTts: false,
      state: 'failed',
      createdAt: '2026-03-01T08:00:00.000Z',
      error: 'The narrator did not answer.',
      errorCode: 'narrator_down',
      errorStep: 'tts',
      batchId: id,
      priority: 'high',
      runAt: '2026-03-01T08:00:05.000Z',
      title: 'The Lost Parcel',
      student: 'Mira',
      level: 'B1',
      topic: 'post',
      notionUrl: 'https://notion.example/page',
      pageUrl: 'https://notion.example/page',
      audioUrl: 'file:audio/ab/x.mp3@3',
      manifestPath: 'manifests/x.json',
      steps: [{ name: 'tts', state: 'failed', finishedAt: null, detail: 'late' }],
      findings: [{ severity: 'warning', line: 3, path: 'title' }],
      narration: {
        billedCharacters: 90,
        durationMs: 12_345,
        cast: [{ speaker: 'Ines', voiceId: 'v1', voiceName: 'Sarah', source: 'auto' }],
      },
      links: {
        self: `here:/jobs/${id}`,
        page: 'https://notion.example/page',
        audio: 'file:audio/ab/x.mp3@3',
        manifest: 'file:manifests/x.json@3',
        transcript: 'file:transcripts/ab/x.vtt@3',
      },
    });
  });

  it('is in its events whole, with the few fields that the first client reads', () => {
    const job = jobDto(most, links);
    const event = jobEventDto('job_state_changed', job);
    expect(jobEventSchema.strict().parse(event)).toEqual(event);
    const { type, payload, ...rest } = event;
    expect([type, rest]).toEqual(['job_state_changed', job]);
    expect(payload).toEqual({
      manifestPath: 'manifests/x.json',
      error: 'The narrator did not answer.',
      finishedAt: '2026-03-01T08:00:02.000Z',
      mode: 'dialogue',
      md: 'a.md',
      notionUrl: 'https://notion.example/page',
    });
  });
});
