import { eventually } from '@esl/kit/testing/world';
import { jobOptionsSchema, jobSchema, lessonReportSchema } from '@esl-pipeline/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dialogueOf, longDialogue, sample } from '../services/worker/test/lessons.ts';
import { type System, startSystem } from './system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
}, 120_000);
afterAll(() => system?.stop());

const finished = (jobId: string, withinMs = 60_000) =>
  eventually(async () => {
    const job = await system.job(jobId);
    return job.finishedAt ? job : null;
  }, withinMs);

describe('a lesson, from POST to page', () => {
  it('is validated, published, narrated and stored, and every step is seen live', async () => {
    await system.putLesson('parcel.md', await sample('the-lost-parcel'));
    const watcher = await system.watch();
    const jobId = await system.submit({ md: 'parcel.md', withTts: true, upload: 's3', preset: 'b1-default' });
    const job = await finished(jobId);
    expect(jobSchema.parse(job)).toMatchObject({
      state: 'succeeded',
      error: null,
      attempt: 1,
      md: expect.stringMatching(/parcel\.md$/),
    });
    expect(job.warnings.map(({ code }) => code)).toContain('upload_store_local');
    expect(job.steps.every(({ state }) => state === 'succeeded')).toBe(true);

    const page = await (await fetch(job.links.page ?? '')).text();
    expect(page).toContain('My parcel has not arrived');
    expect(page).toMatch(/<audio[^>]+controls/);
    expect(page).toContain('data:audio/mpeg;base64,');
    expect(job.notionUrl).toBe(job.pageUrl);

    const audio = await fetch(job.links.audio ?? '', { headers: { range: 'bytes=0-9' } });
    expect(audio.status).toBe(206);
    expect(
      Buffer.from(await audio.arrayBuffer())
        .subarray(0, 3)
        .toString(),
    ).toBe('ID3');

    const manifest = (await (await fetch(job.links.manifest ?? '')).json()) as {
      schemaVersion: number;
      audio: object;
    };
    expect(manifest).toMatchObject({ schemaVersion: 1, preset: 'b1-default' });

    await eventually(() => (watcher.movesOf(jobId).at(-1) === 'succeeded' ? true : null));
    expect(watcher.movesOf(jobId)).toEqual(['queued', 'running', 'succeeded']);
    const {
      type: _type,
      payload: _payload,
      ...data
    } = watcher.eventsOf(jobId).at(-1) ?? { type: '', payload: {} };
    expect(data).toEqual(job);
  });

  it('fails with every finding and its line when the lesson is broken', async () => {
    await system.putLesson('broken.md', await sample('broken-lesson'));
    const job = await finished(await system.submit({ md: 'broken.md' }));
    expect(job).toMatchObject({ state: 'failed', errorCode: 'lesson_invalid', attempt: 1, pageUrl: null });
    expect(job.findings.filter(({ severity }) => severity === 'error').length).toBeGreaterThan(2);
    expect(job.findings.every(({ line }) => line > 0)).toBe(true);
  });

  it('keeps the lesson as it was when it was accepted', async () => {
    await system.putLesson('edited.md', await sample('street-party'));
    const jobId = await system.submit({ md: 'edited.md' });
    await system.putLesson('edited.md', 'gone');
    expect((await finished(jobId)).state).toBe('succeeded');
  });

  it('speaks only the changed line of a lesson that was narrated before', async () => {
    const lines = Array.from({ length: 6 }, (_, index) => `Here is line ${index} of the same old story.`);
    await system.putLesson('v1.md', await dialogueOf(lines));
    await finished(await system.submit({ md: 'v1.md', withTts: true }));
    await system.putLesson('v2.md', await dialogueOf([...lines.slice(0, 5), 'And this line is new.']));
    const job = await finished(await system.submit({ md: 'v2.md', withTts: true }));
    expect(job.steps.find(({ name }) => name === 'tts')?.detail).toMatch(/1 spoken|5 (from the )?cache/);
  });
});

describe('a lesson that is only looked at', () => {
  it('gets its findings and a plan', async () => {
    const text = await sample('the-lost-parcel');
    const { status, body } = await system.post('/lessons/validate', { text, withTts: true });
    expect(status).toBe(200);
    const { ok, meta, plan } = lessonReportSchema.strict().parse(body);
    expect([ok, meta?.title]).toEqual([true, 'Homework: The Lost Parcel']);
    expect(plan).toMatchObject({ mode: 'dialogue', estimatedCost: 0 });
    expect(plan?.segments).toBeGreaterThan(2);
    expect(new Set(plan?.cast.map(({ voiceId }) => voiceId)).size).toBe(plan?.cast.length);

    const broken = await system.post('/lessons/validate', { text: await sample('broken-lesson') });
    const report = lessonReportSchema.strict().parse(broken.body);
    expect([report.ok, report.plan]).toEqual([false, null]);
    expect(report.findings.filter(({ severity }) => severity === 'error').length).toBeGreaterThan(2);
  });
});

describe('actions on a job', () => {
  it('cancels a running job: its step is aborted, and it never succeeds later', async () => {
    await system.putLesson('long.md', await longDialogue('cancelled', 60));
    const jobId = await system.submit({ md: 'long.md', withTts: true });
    await eventually(async () => ((await system.job(jobId)).progress?.step === 'tts' ? true : null), 30_000);
    const { status, body } = await system.post(`/jobs/${jobId}/actions`, {
      type: 'cancel',
      payload: { reason: 'typo' },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ success: true, jobId, actionType: 'cancel' });
    expect(await system.job(jobId)).toMatchObject({ state: 'cancelled', cancelReason: 'typo' });
    const again = await system.post(`/jobs/${jobId}/actions`, { type: 'cancel' });
    expect(again).toMatchObject({ status: 422, body: { error: 'invalid_state', code: 'invalid_state' } });
    await system.putLesson('next.md', await sample('the-lost-parcel'));
    await finished(await system.submit({ md: 'next.md', withTts: true }));
    const job = await system.job(jobId);
    expect(job.state).toBe('cancelled');
    expect(job.steps.find(({ name }) => name === 'tts')?.state).toBe('cancelled');
  });

  it('narrates again as a new job on the same page', async () => {
    await system.putLesson('rerun.md', await sample('the-lost-parcel'));
    const parent = await finished(await system.submit({ md: 'rerun.md', withTts: true }));
    const { status, body } = await system.post(`/jobs/${parent.jobId}/rerun/audio`, {
      voiceAccent: 'american',
    });
    expect(status).toBe(202);
    const job = await finished((body as { jobId: string }).jobId);
    expect(job).toMatchObject({ state: 'succeeded', parentJobId: parent.jobId, voiceAccent: 'american' });
    expect(new URL(job.pageUrl ?? '').pathname).toBe(new URL(parent.pageUrl ?? '').pathname);
    expect(new URL(job.audioUrl ?? '').pathname).not.toBe(new URL(parent.audioUrl ?? '').pathname);
    expect((await system.job(parent.jobId)).state).toBe('succeeded');
  });

  it('edits metadata, and page and manifest follow', async () => {
    await system.putLesson('meta.md', await sample('morning-at-the-harbour'));
    const before = await finished(await system.submit({ md: 'meta.md' }));
    const edit = { type: 'edit_metadata', payload: { preset: 'calm-blue' } };
    expect((await system.post(`/jobs/${before.jobId}/actions`, edit)).status).toBe(200);
    const manifest = await eventually(async () => {
      const job = await system.job(before.jobId);
      const read = (await (await fetch(job.links.manifest ?? '')).json()) as { preset: string };
      return read.preset === 'calm-blue' ? read : null;
    });
    expect(manifest.preset).toBe('calm-blue');
    const unknown = { type: 'edit_metadata', payload: { preset: 'no-such-preset' } };
    expect((await system.post(`/jobs/${before.jobId}/actions`, unknown)).status).toBe(400);
  });

  it('offers only what works', async () => {
    const { body } = await system.get('/config/job-options');
    const options = jobOptionsSchema.parse(body);
    expect(options.supportedActions.map(({ type }) => type)).toEqual([
      'rerun_audio',
      'cancel',
      'edit_metadata',
    ]);
    expect(options.notionDatabases.map(({ id }) => id)).toContain('local');
    await system.putLesson('offered.md', await sample('the-lost-parcel'));
    const jobId = await system.submit({
      md: 'offered.md',
      withTts: true,
      preset: options.presets[0],
      voiceId: options.voices[0]?.id,
      voiceAccent: options.voiceAccents[0],
      notionDatabase: options.notionDatabases[0]?.id,
    });
    expect((await finished(jobId)).state).toBe('succeeded');
  });
});
