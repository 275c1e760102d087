import { describe, expect, it } from 'vitest';
import { aJob, now } from '../../test/builders.ts';
import * as changes from './changes.ts';
import type { Artifact, Step } from './job.ts';

const nothing = { steps: [], warnings: [], findings: [], artifacts: [], lesson: null, narration: null };
const passing = {
  code: 'upstream_unavailable',
  message: 'Notion did not answer.',
  step: 'import',
  retryable: true,
};
const clock = { now, retryAfterMs: 0, random: 0 };
const page: Artifact = {
  kind: 'page',
  key: 'pages/a.html',
  url: null,
  contentType: 'text/html',
  bytes: 1,
  sha256: 'a',
};
const step = (over: Partial<Step>): Step => ({
  name: 'tts',
  state: 'running',
  startedAt: now,
  finishedAt: null,
  detail: null,
  ...over,
});

describe('a run that fails', () => {
  it('is tried again later while the error may pass', () => {
    const change = changes.fail(aJob({ state: 'running', attempt: 1 }), passing, nothing, clock);
    expect(change?.fields).toMatchObject({
      state: 'queued',
      failure: passing,
      failedAttempts: 1,
      retryAt: new Date(now.getTime() + 500),
      dispatchAt: new Date(now.getTime() + 500),
      lease: null,
    });
  });

  it('fails for good with the fifth attempt', () => {
    const change = changes.fail(aJob({ state: 'running', failedAttempts: 4 }), passing, nothing, clock);
    expect(change?.fields).toMatchObject({ state: 'failed', finishedAt: now, failure: passing });
  });

  it('fails at once when the error will not pass', () => {
    const failure = { ...passing, retryable: false };
    expect(changes.fail(aJob({ state: 'running' }), failure, nothing, clock)?.fields.state).toBe('failed');
  });
});

describe('a lost lease', () => {
  it('puts the job back at once, with its work message', () => {
    const change = changes.loseLease(aJob({ state: 'running' }), now);
    expect(change).toMatchObject({
      work: 'run',
      leaseOutBy: now,
      fields: { state: 'queued', retryAt: null },
    });
  });

  it('counts against the job, so that one that kills its workers ends', () => {
    const change = changes.loseLease(aJob({ state: 'running', failedAttempts: 4 }), now);
    expect(change?.fields).toMatchObject({ state: 'failed', failure: { code: 'worker_lost' } });
  });
});

describe('a run handed back by a stopping worker', () => {
  it('does not count against the job', () => {
    const change = changes.release(aJob({ state: 'running', failedAttempts: 2 }), now);
    expect(change?.fields.state).toBe('queued');
    expect(change?.fields).not.toHaveProperty('failedAttempts');
  });
});

describe('progress', () => {
  it('is ignored when a later report was applied already, or the run is over', () => {
    const report = { sequence: 2, steps: [], progress: null, lesson: null };
    expect(changes.progress(aJob({ state: 'running', reportSequence: 1 }), report)).not.toBeNull();
    expect(changes.progress(aJob({ state: 'running', reportSequence: 2 }), report)).toBeNull();
    expect(changes.progress(aJob({ state: 'succeeded' }), report)).toBeNull();
  });
});

describe('cancelling', () => {
  it('shows which step was stopped', () => {
    const job = aJob({ state: 'running', steps: [step({ name: 'import', state: 'succeeded' }), step({})] });
    const change = changes.cancel(job, { reason: 'wrong file', actor: 'ana' }, now);
    expect(change?.fields.cancelReason).toBe('wrong file');
    expect(change?.fields.steps?.map(({ state }) => state)).toEqual(['succeeded', 'cancelled']);
  });
});

describe('editing metadata', () => {
  const edit = { preset: 'calm-blue', notionDatabase: null, actor: 'ana' };

  it('asks a worker to bring the page in line, when there is one', () => {
    const change = changes.editMetadata(
      aJob({ state: 'succeeded', version: 3, artifacts: [page] }),
      edit,
      now,
    );
    expect(change).toMatchObject({
      work: 'refresh',
      fields: { spec: { preset: 'calm-blue' }, refresh: { version: 4 } },
    });
  });

  it('only changes the job when nothing was made yet', () => {
    expect(changes.editMetadata(aJob({ state: 'queued' }), edit, now)?.work).toBeUndefined();
  });

  it('is refused while the job runs', () => {
    expect(changes.editMetadata(aJob({ state: 'running' }), edit, now)).toBeNull();
  });

  it('is settled only by a report of that version or a later one', () => {
    const job = aJob({ state: 'succeeded', artifacts: [page], refresh: { version: 5, checkAt: now } });
    const report = { version: 4, artifacts: [{ ...page, sha256: 'b' }], warnings: [] };
    expect(changes.refreshed(job, report)).toBeNull();
    expect(changes.refreshed(job, { ...report, version: 5 })?.fields).toMatchObject({
      refresh: null,
      artifacts: [{ sha256: 'b' }],
    });
  });
});

const member = { speaker: 'Ines', voiceId: 'v1', voiceName: 'Sarah', source: 'auto' };
const narration = {
  engine: 'elevenlabs',
  mode: 'dialogue',
  characters: 20,
  billedCharacters: 8,
  durationMs: 0,
  cast: [member],
};

describe('what a worker reports', () => {
  it('is bounded, whatever it sends', () => {
    const many = <T>(one: T) => Array.from({ length: 1_000 }, () => one);
    const change = changes.succeed(
      aJob({ state: 'running' }),
      {
        steps: many(step({})),
        warnings: many({ code: 'w', message: '' }),
        findings: many({ code: 'F', severity: 'error', message: '', line: 1, path: null }),
        artifacts: many(page),
        lesson: null,
        narration: { ...narration, cast: many(member) },
      },
      now,
    );
    expect(change?.fields.steps).toHaveLength(20);
    expect(change?.fields.warnings).toHaveLength(50);
    expect(change?.fields.findings).toHaveLength(200);
    expect(change?.fields.artifacts).toHaveLength(1);
    expect(change?.fields.narration?.cast).toHaveLength(50);
  });

  it('never takes back what an earlier attempt has cost', () => {
    const job = aJob({ state: 'running', narration });
    expect(changes.fail(job, passing, nothing, clock)?.fields).not.toHaveProperty('narration');
    const more = { ...nothing, narration: { ...narration, billedCharacters: 12 } };
    expect(changes.fail(job, passing, more, clock)?.fields.narration?.billedCharacters).toBe(12);
  });
});
