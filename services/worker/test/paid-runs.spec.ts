import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlobStore, filesystemBlobStore } from '@esl/kit/blob-store';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { elevenLabsEnv } from '../src/narration/elevenlabs/environment.ts';
import { type SpeechEngine, speechEngine } from '../src/narration/speech-engine.ts';
import { narrators } from '../src/narrators.ts';
import type { Ports, RunJob } from '../src/pipeline/run.ts';
import { type RunEnd, runPipeline } from '../src/pipeline/run-pipeline.ts';
import { localPublisher } from '../src/publisher/local-publisher.ts';
import { dialogueOf } from './lessons.ts';
import { type ElevenLabsServer, startElevenLabsServer, VOICES } from './narration/elevenlabs-server.ts';
import { aRunJob, aSpec, killedAt, RERUN, smallCatalog } from './pipeline-runs.ts';
import { keysUnder } from './worker-world.ts';

const LINES = ['Yes.', 'No, no.', 'Maybe so.'];
const CHARACTERS = LINES.join('').length;
const forever = new AbortController().signal;
const now = () => new Date('2026-03-01T08:00:00.000Z');

let engine: SpeechEngine;
let server: ElevenLabsServer;
let folder: string;
let blobs: BlobStore;
beforeAll(async () => {
  engine = speechEngine();
  server = await startElevenLabsServer();
});
afterAll(async () => {
  await engine.close();
  await server.stop();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'paid-'));
  blobs = filesystemBlobStore(folder);
  await given(await dialogueOf(LINES));
  return () => rm(folder, { recursive: true, force: true });
});
afterEach(() => {
  server.forget();
  server.setDelay(0);
  server.onSpeech(() => {});
});

const voices = VOICES.map(({ voice_id: id, ...voice }) => ({ ...voice, id }));
const given = (lesson: string) =>
  blobs.put('lessons/lesson.md', Buffer.from(lesson), { contentType: 'text/markdown' }, forever);

const ports = (store: BlobStore, signal: AbortSignal, apiKey: string, concurrency: number): Ports => {
  const env = z.object(elevenLabsEnv).parse({
    ELEVENLABS_BASE_URL: server.url,
    ELEVENLABS_CONCURRENCY: String(concurrency),
  });
  const choose = narrators(env, { blobs: store, engine, voices: async () => voices });
  return {
    blobs: store,
    catalog: smallCatalog,
    publisher: localPublisher({ blobs: store, now }),
    narratorFor: async ({ ttsProvider }) => choose({ apiKey, ttsProvider }),
    now,
    checkLease: () => signal.throwIfAborted(),
  };
};

type Where = { store?: BlobStore; signal?: AbortSignal; apiKey?: string; concurrency?: number };
const run = (job: RunJob, where: Where = {}) => {
  const { store = blobs, signal = forever, apiKey = server.key, concurrency = 3 } = where;
  return runPipeline(job, ports(store, signal, apiKey, concurrency), signal);
};
const billOf = ({ result }: RunEnd) => result.narration?.billedCharacters;
const artifact = ({ result }: RunEnd, kind: string) => result.artifacts.find((each) => each.kind === kind);
const MODES = ['monologue', 'dialogue'];

const startOver = async () => {
  await rm(folder, { recursive: true, force: true });
  await given(await dialogueOf(LINES));
  server.forget();
};

/** One page, one audio, one transcript, and each character on the job's bill once. */
const expectWhole = async (end: RunEnd) => {
  expect(end.kind).toBe('succeeded');
  expect(billOf(end)).toBe(CHARACTERS);
  for (const made of ['pages', 'audio', 'transcripts']) expect(await keysUnder(folder, made)).toHaveLength(1);
};

describe.each(MODES)('a run that is paid for and cut off, as a %s', (mode) => {
  const job = aRunJob({ spec: aSpec({ mode, forceTts: true }) });
  const again: RunJob = { ...job, attempt: 2 };
  const requests = mode === 'dialogue' ? 1 : LINES.length;
  it('after any of its writes is finished by the next one, and pays for nothing twice', async () => {
    const whole = killedAt(blobs, Number.POSITIVE_INFINITY);
    const expected = await run(job, whole);
    await expectWhole(expected);
    for (let write = 1; write < whole.written.length; write += 1) {
      await startOver();
      const cut = killedAt(blobs, write);
      expect((await run(job, { ...cut, concurrency: 1 })).kind).toBe('stopped');
      await cut.quiet();
      const end = await run(again);
      await expectWhole(end);
      expect(artifact(end, 'audio')).toEqual(artifact(expected, 'audio'));
      // Only the one request that ElevenLabs was at when the run was cut may be paid again.
      const kept = cut.written.filter((key) => key.startsWith('speech/')).length;
      const paid = server.seen.filter(({ billed }) => billed > 0).length;
      expect(paid).toBeLessThanOrEqual(requests + (kept < requests ? 1 : 0));
    }
  });

  it('inside any of its calls to ElevenLabs is finished by the next one, and paid for once', async () => {
    for (let call = 1; call <= requests; call += 1) {
      await startOver();
      const kill = new AbortController();
      server.onSpeech((nth) => {
        if (nth !== call) return;
        server.setDelay(60_000); // so that it is not answered before the kill
        kill.abort(new Error('killed'));
      });
      const { store, quiet } = killedAt(blobs, Number.POSITIVE_INFINITY);
      const cut = await run(job, { store, signal: kill.signal, concurrency: 1 });
      expect(cut.kind).toBe('stopped');
      await quiet();
      server.onSpeech(() => {});
      server.setDelay(0);
      await expectWhole(await run(again));
      expect(server.billed()).toBe(CHARACTERS);
    }
  });
});

it('a run killed before any of its writes is finished by the next one, and its bill counts each line once', async () => {
  const job = aRunJob({ spec: aSpec({ mode: 'monologue', forceTts: true }) });
  const whole = killedAt(blobs, Number.POSITIVE_INFINITY);
  await run(job, whole);
  for (let write = 1; write <= whole.written.length; write += 1) {
    await startOver();
    expect((await run(job, killedAt(blobs, write, 'before'))).kind).toBe('stopped');
    await expectWhole(await run({ ...job, attempt: 2 }));
  }
});

describe('a job that was narrated', () => {
  it('and is delivered once more pays nothing, and says what it has cost', async () => {
    await run(aRunJob());
    const end = await run(aRunJob({ attempt: 2 }));
    await expectWhole(end);
    expect(server.billed()).toBe(CHARACTERS);
  });

  it('and is rerun unchanged costs nothing', async () => {
    await run(aRunJob());
    const end = await run(aRunJob({ id: RERUN, parentJobId: aRunJob().id }));
    expect(end.kind).toBe('succeeded');
    expect(billOf(end)).toBe(0);
    expect(server.billed()).toBe(CHARACTERS);
  });

  it('pays only for the line that changed', async () => {
    await run(aRunJob({ spec: aSpec({ mode: 'monologue' }) }));
    await given(await dialogueOf(LINES.with(1, 'Never.')));
    const end = await run(aRunJob({ id: RERUN, spec: aSpec({ mode: 'monologue' }) }));
    expect(billOf(end)).toBe('Never.'.length);
  });

  it('tells all about it, in its result and its manifest', async () => {
    const end = await run(aRunJob());
    expect(end.result.narration).toMatchObject({
      engine: 'elevenlabs',
      mode: 'dialogue',
      characters: CHARACTERS,
      billedCharacters: CHARACTERS,
    });
    expect(end.result.narration?.durationMs).toBeGreaterThan(1_000);
    const cast = end.result.narration?.cast.map(({ speaker, source }) => [speaker, source]);
    expect(cast).toEqual([
      ['Ines', 'auto'],
      ['Paul', 'auto'],
    ]);
    const manifest = JSON.parse(
      String(Buffer.from((await blobs.get(artifact(end, 'manifest')?.key ?? '', forever)) ?? [])),
    );
    expect(manifest.audio).toMatchObject({ engine: 'elevenlabs', bill: { characters: CHARACTERS } });
    const transcript = artifact(end, 'transcript');
    expect(transcript?.contentType).toBe('text/vtt; charset=utf-8');
    expect(String(Buffer.from((await blobs.get(transcript?.key ?? '', forever)) ?? []))).toMatch(
      /^WEBVTT\n\n1\n00:00:00\.\d{3} --> .*\n<v Ines>Yes\.\n/,
    );
  });
});

describe('a narration that cannot be', () => {
  it.each([
    ['a revoked key', { apiKey: 'revoked' }, {}, 'elevenlabs_key_rejected', /enter a valid one/],
    ['a voice that is not there', {}, { voiceId: 'nobodysvoice' }, 'voice_not_found', /“nobodysvoice”/],
  ])('for %s fails for good, says what to do, and asks no more', async (_, where, spec, code, message) => {
    const end = await run(aRunJob({ spec: aSpec({ mode: 'monologue', ...spec }) }), where);
    expect(end).toMatchObject({ kind: 'failed', step: 'tts', error: { code, retryable: false } });
    expect(end.kind === 'failed' && end.error.message).toMatch(message);
    expect(server.speechRequests().length).toBeLessThanOrEqual(3);
    expect(JSON.stringify(end)).not.toContain('revoked');
  });

  it('for want of characters fails, with what it has cost so far; the retry pays only the rest', async () => {
    server.setAccount('poor', { quota: 12 });
    const job = aRunJob({ spec: aSpec({ mode: 'monologue' }) });
    const end = await run(job, { apiKey: 'poor' });
    expect(end).toMatchObject({ kind: 'failed', error: { code: 'elevenlabs_quota_exceeded' } });
    expect(billOf(end)).toBe(server.billed());
    expect(end.result.narration?.durationMs).toBe(0);
    server.setAccount('poor', {});
    await expectWhole(await run({ ...job, attempt: 2 }, { apiKey: 'poor' }));
    expect(server.billed()).toBe(CHARACTERS);
  });

  it('while ElevenLabs is down may be tried again', async () => {
    server.fail({ kind: 'reset' }, 10);
    const end = await run(aRunJob());
    expect(end).toMatchObject({ error: { code: 'elevenlabs_unavailable', retryable: true } });
  });
});
