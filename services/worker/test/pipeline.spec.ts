import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlobStore, filesystemBlobStore } from '@esl/kit/blob-store';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { localNarrator } from '../src/narration/local-narrator.ts';
import { segmentCache } from '../src/narration/segment-cache.ts';
import { type SpeechEngine, speechEngine } from '../src/narration/speech-engine.ts';
import { hashOf, manifestKey } from '../src/pipeline/checkpoint.ts';
import type { Ports, RunJob } from '../src/pipeline/run.ts';
import { type RunEnd, runPipeline } from '../src/pipeline/run-pipeline.ts';
import { localPublisher } from '../src/publisher/local-publisher.ts';
import { dialogueOf, longDialogue, sample } from './lessons.ts';
import { aRunJob, aSpec, JOB, killedAt, RERUN, RERUN_2, smallCatalog } from './pipeline-runs.ts';
import { keysUnder } from './worker-world.ts';

const now = () => new Date('2026-03-01T08:00:00.000Z');
const forever = new AbortController().signal;

let engine: SpeechEngine;
let folder: string;
let blobs: BlobStore;
let spoken: number;
beforeAll(() => {
  engine = speechEngine();
});
afterAll(() => engine.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipeline-'));
  blobs = filesystemBlobStore(folder);
  spoken = 0;
  return () => rm(folder, { recursive: true, force: true });
});

const ports = (over: Partial<Ports> = {}): Ports => {
  const store = over.blobs ?? blobs;
  const counting: Pick<SpeechEngine, 'speak' | 'encode'> = {
    encode: engine.encode,
    speak: (task, signal) => {
      spoken += 1;
      return engine.speak(task, signal);
    },
  };
  return {
    blobs: store,
    catalog: smallCatalog,
    publisher: localPublisher({ blobs: store, now }),
    narratorFor: async () => ({
      narrator: localNarrator({ engine: { ...engine, ...counting }, cache: segmentCache(store) }),
      notice: { code: 'narrated_locally', message: 'Built-in voices.' },
    }),
    now,
    checkLease: () => {},
    ...over,
  };
};

const given = (lesson: string) =>
  blobs.put('lessons/lesson.md', Buffer.from(lesson), { contentType: 'text/markdown' }, forever);
const run = (job: RunJob, over: Partial<Ports> = {}, signal = forever) =>
  runPipeline(job, ports({ ...over, checkLease: () => signal.throwIfAborted() }), signal);
const states = ({ result }: RunEnd) =>
  Object.fromEntries(result.steps.map(({ name, state }) => [name, state]));
const detail = ({ result }: RunEnd, step: string) =>
  result.steps.find(({ name }) => name === step)?.detail ?? '';
const codes = ({ result }: RunEnd) => result.warnings.map(({ code }) => code);
const artifact = ({ result }: RunEnd, kind: string) => result.artifacts.find((each) => each.kind === kind);
const textOf = async (key: string | null | undefined) =>
  Buffer.from((await blobs.get(key ?? 'nothing', forever)) ?? []).toString();
const manifestOf = async (jobId: string) => JSON.parse(await textOf(manifestKey(jobId)));

const killedAfter = (writes: number) => killedAt(blobs, writes);

describe('a lesson without narration', () => {
  it('becomes a page with its colours, and a manifest', async () => {
    await given(await sample('the-lost-parcel'));
    const end = await run(aRunJob({ spec: aSpec({ withTts: false, preset: 'calm-blue' }) }));
    expect(end.kind).toBe('succeeded');
    expect(states(end)).toEqual({
      validate: 'succeeded',
      import: 'succeeded',
      tts: 'skipped',
      upload: 'skipped',
      'add-audio': 'skipped',
      manifest: 'succeeded',
    });
    expect(codes(end)).toEqual(['published_locally']);
    const page = artifact(end, 'page');
    expect(await textOf(page?.key)).toContain('My parcel has not arrived');
    expect(page).toMatchObject({ bytes: (await blobs.head(page?.key ?? '', forever))?.bytes });
    expect(await manifestOf(JOB)).toMatchObject({
      schemaVersion: 1,
      preset: 'calm-blue',
      pageId: page?.key,
      mdHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('writes its manifest once', async () => {
    await given(await sample('the-lost-parcel'));
    const { store, written } = killedAfter(100);
    await run(aRunJob({ spec: aSpec({ withTts: false }) }), { blobs: store });
    expect(written).toEqual([expect.stringMatching(/^pages\//), manifestKey(JOB)]);
  });
});

describe('a narrated lesson', () => {
  it('plays on its page', async () => {
    await given(await sample('the-lost-parcel'));
    const end = await run(aRunJob());
    expect(Object.values(states(end)).every((state) => state === 'succeeded')).toBe(true);
    expect(detail(end, 'tts')).toMatch(/^\d+ spoken, 0 from the cache/);
    expect(codes(end).sort()).toEqual(['narrated_locally', 'published_locally']);
    expect(await textOf(artifact(end, 'page')?.key)).toContain('data:audio/mpeg;base64,');
    const audio = artifact(end, 'audio');
    expect(audio?.key).toBe(`audio/${audio?.sha256.slice(0, 2)}/${audio?.sha256}.mp3`);
    const { audio: told, ttsMode } = await manifestOf(JOB);
    expect(ttsMode).toBe('dialogue');
    expect(told).toMatchObject({ path: audio?.key, hash: audio?.sha256, onPage: true });
    expect(told.voices.map(({ speaker }: { speaker: string }) => speaker)).toEqual(['Ines', 'Paul']);
  });

  it('keeps its audio off the page, but for download, when nothing is to be uploaded', async () => {
    await given(await sample('the-lost-parcel'));
    const end = await run(aRunJob({ spec: aSpec({ upload: 'none' }) }));
    expect(states(end)).toMatchObject({ upload: 'skipped', 'add-audio': 'skipped', manifest: 'succeeded' });
    expect(await textOf(artifact(end, 'page')?.key)).not.toContain('data:audio');
    expect(await blobs.head(artifact(end, 'audio')?.key ?? '', forever)).not.toBeNull();
  });

  it('says so when the audio was to go to S3 and there is none', async () => {
    await given(await sample('the-lost-parcel'));
    expect(codes(await run(aRunJob({ spec: aSpec({ upload: 's3' }) })))).toContain('upload_store_local');
  });

  it('tells its progress segment by segment, and import beside it', async () => {
    await given(await sample('the-lost-parcel'));
    const told: string[] = [];
    let overlapped = false;
    await runPipeline(aRunJob(), ports(), forever, ({ steps, progress }) => {
      if (progress?.step === 'tts') told.push(`${progress.done}/${progress.total}`);
      const running = steps.filter(({ state }) => state === 'running').map(({ name }) => name);
      overlapped ||= running.includes('import') && running.includes('tts');
    });
    expect(told).toContain('4/4');
    expect(overlapped).toBe(true);
  });
});

describe('a lesson that cannot be published', () => {
  it('fails for good with all its findings, and says where the first error is', async () => {
    await given(await sample('broken-lesson'));
    const end = await run(aRunJob());
    expect(end).toMatchObject({ kind: 'failed', step: 'validate', error: { code: 'lesson_invalid' } });
    if (end.kind !== 'failed') return;
    expect(end.error.retryable).toBe(false);
    const errors = end.result.findings.filter(({ severity }) => severity === 'error');
    const start = `The lesson has ${errors.length} errors; the first is on line ${errors[0]?.line}: `;
    expect(end.error.message.startsWith(start)).toBe(true);
    expect(states(end)).toMatchObject({ validate: 'failed', import: 'pending', manifest: 'pending' });
  });

  it('fails for good when its text or its preset is not there', async () => {
    expect(await run(aRunJob())).toMatchObject({ error: { code: 'lesson_not_found', retryable: false } });
    await given(await sample('the-lost-parcel'));
    const end = await run(aRunJob({ spec: aSpec({ preset: 'no-such-preset' }) }));
    expect(end).toMatchObject({ error: { code: 'unknown_preset', retryable: false } });
  });

  it('may be tried again when the disk is full, and nothing of the machine is told', async () => {
    await given(await sample('the-lost-parcel'));
    const full = Object.assign(new Error('ENOSPC: no space left on device, open /var/x'), {
      code: 'ENOSPC',
      syscall: 'open',
    });
    const store = { ...blobs, put: () => Promise.reject(full) };
    const end = await run(aRunJob({ spec: aSpec({ withTts: false }) }), { blobs: store });
    expect(end).toMatchObject({ error: { code: 'storage_unavailable', retryable: true } });
    expect(end.kind === 'failed' && end.error.message).not.toContain('/var');
  });
});

describe('a run that is cut off', () => {
  it('is finished by the next one, whichever write was its last: one page, one audio, nothing spoken twice', async () => {
    const lesson = await dialogueOf(['One short line.', 'And one more.', 'The last one.']);
    await given(lesson);
    const whole = killedAfter(Number.POSITIVE_INFINITY);
    const expected = await run(aRunJob(), { blobs: whole.store });
    expect(expected.kind).toBe('succeeded');
    expect(whole.written.length).toBeGreaterThan(6);

    for (let writes = 1; writes < whole.written.length; writes += 1) {
      await rm(folder, { recursive: true, force: true });
      await given(lesson);
      const first = killedAfter(writes);
      const cut = await run(aRunJob(), { blobs: first.store }, first.signal);
      expect(cut.kind).toBe('stopped');
      const second = killedAfter(Number.POSITIVE_INFINITY);
      const end = await run(aRunJob({ attempt: 2 }), { blobs: second.store });
      expect(end.kind).toBe('succeeded');
      expect(await keysUnder(folder, 'pages')).toHaveLength(1);
      expect(await keysUnder(folder, 'audio')).toHaveLength(1);
      expect(artifact(end, 'audio')).toEqual(artifact(expected, 'audio'));
      const spokenTwice = second.written.filter(
        (key) => key.startsWith('speech/') && first.written.includes(key),
      );
      expect(spokenTwice).toEqual([]);
    }
  });

  it('does not narrate again what a forced narration has done', async () => {
    await given(await sample('the-lost-parcel'));
    const job = aRunJob({ spec: aSpec({ forceTts: true }) });
    const stop = new AbortController();
    const cut = await runPipeline(job, ports(), stop.signal, ({ steps }) => {
      if (steps.find(({ name }) => name === 'tts')?.state === 'succeeded') stop.abort();
    });
    expect(cut.kind).toBe('stopped');
    spoken = 0;
    const end = await run({ ...job, attempt: 2 });
    expect(end.kind).toBe('succeeded');
    expect(spoken).toBe(0);
    expect(detail(end, 'tts')).toMatch(/^narrated before/);
  });

  it('ends at once when it is aborted in the middle of a narration', async () => {
    await given(await longDialogue('abort'));
    const stop = new AbortController();
    const end = await runPipeline(aRunJob(), ports(), stop.signal, ({ progress }) => {
      if (progress?.step === 'tts' && progress.done > 0) stop.abort();
    });
    expect(end.kind).toBe('stopped');
    expect(states(end)).toMatchObject({ tts: 'cancelled', upload: 'pending', manifest: 'pending' });
    expect(spoken).toBeLessThan(10);
  });

  it('has no effect outside once the lease is gone', async () => {
    await given(await sample('the-lost-parcel'));
    const checkLease = () => {
      throw new Error('the lease is gone');
    };
    await runPipeline(aRunJob(), ports({ checkLease }), forever);
    expect(await keysUnder(folder, 'pages')).toEqual([]);
    expect(await keysUnder(folder, 'audio')).toEqual([]);
    expect(spoken).toBe(0);
  });
});

describe('a rerun', () => {
  it('narrates again with other voices, on the same page, and leaves the old manifest as it was', async () => {
    await given(await sample('the-lost-parcel'));
    const parent = await run(aRunJob());
    const before = await textOf(manifestKey(JOB));
    const rerun = aRunJob({ id: RERUN, parentJobId: JOB, spec: aSpec({ voiceAccent: 'scottish' }) });
    const end = await run(rerun);
    expect(end.kind).toBe('succeeded');
    expect(artifact(end, 'page')?.key).toBe(artifact(parent, 'page')?.key);
    expect(artifact(end, 'audio')?.key).not.toBe(artifact(parent, 'audio')?.key);
    const sound = await readFile(join(folder, artifact(end, 'audio')?.key ?? ''));
    expect(await textOf(artifact(end, 'page')?.key)).toContain(sound.toString('base64').slice(0, 1_000));
    expect(await textOf(manifestKey(JOB))).toBe(before);
    expect(detail(end, 'import')).toBe('the page is up to date');
  });

  it('finds the page as another rerun has left it', async () => {
    await given(await sample('the-lost-parcel'));
    const first = await run(aRunJob());
    const scottish = aSpec({ voiceAccent: 'scottish', preset: 'calm-blue' });
    const second = await run(aRunJob({ id: RERUN, parentJobId: JOB, spec: scottish }));
    const playing = async (end: RunEnd) => {
      const mp3 = await readFile(join(folder, artifact(end, 'audio')?.key ?? ''));
      return (await textOf(artifact(end, 'page')?.key)).includes(mp3.toString('base64'));
    };
    expect([await playing(first), await playing(second)]).toEqual([false, true]);

    const quiet = aSpec({ withTts: false });
    const recoloured = await run(aRunJob({ id: RERUN_2, parentJobId: JOB, spec: quiet }));
    expect(detail(recoloured, 'import')).toBe('page made anew');
    expect(await playing(second)).toBe(true);

    const back = await run(aRunJob({ id: RERUN_2, parentJobId: JOB }));
    expect(detail(back, 'tts')).toMatch(/^narrated before/);
    expect([await playing(first), await playing(second)]).toEqual([true, false]);
  });

  it('speaks everything again when forced, and nothing when nothing is different', async () => {
    await given(await sample('the-lost-parcel'));
    await run(aRunJob());
    spoken = 0;
    const same = await run(aRunJob({ id: RERUN, parentJobId: JOB }));
    expect([spoken, detail(same, 'add-audio')]).toEqual([0, 'the page plays it already']);
    await run(aRunJob({ id: RERUN, parentJobId: JOB, spec: aSpec({ forceTts: true }) }));
    expect(spoken).toBe(4);
  });

  it('without narration keeps what the page plays, also when its colours change', async () => {
    await given(await sample('the-lost-parcel'));
    await run(aRunJob());
    const quiet = aSpec({ withTts: false, preset: 'calm-blue' });
    const end = await run(aRunJob({ id: RERUN, parentJobId: JOB, spec: quiet }));
    expect(await textOf(artifact(end, 'page')?.key)).toContain('data:audio/mpeg;base64,');
    expect((await manifestOf(RERUN)).audio.onPage).toBe(true);
  });
});

describe('the manifest', () => {
  it('keeps what another version wrote into it, and counts as none when it cannot be read', async () => {
    await given(await sample('the-lost-parcel'));
    const put = (text: string) =>
      blobs.put(manifestKey(JOB), Buffer.from(text), { contentType: 'application/json' }, forever);
    await put('{"schemaVersion":1,"dialogueSeed":7}');
    const silent = { attempt: 2, spec: aSpec({ withTts: false }) };
    await run(aRunJob(silent));
    expect(await manifestOf(JOB)).toMatchObject({ dialogueSeed: 7, preset: 'b1-default' });
    await put('{"schemaVer');
    expect((await run(aRunJob(silent))).kind).toBe('succeeded');
    expect(await manifestOf(JOB)).toMatchObject({ preset: 'b1-default' });
  });

  it('names inputs by their content', () => {
    expect(hashOf({ a: 1 })).toBe(hashOf({ a: 1 }));
    expect(hashOf({ a: 1 })).not.toBe(hashOf({ a: 2 }));
  });
});
