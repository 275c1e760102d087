import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlobStore, filesystemBlobStore, sha256 } from '@esl/kit/blob-store';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { localNarrator } from '../../src/narration/local-narrator.ts';
import type { NarrationRequest } from '../../src/narration/narrator.ts';
import { segmentCache } from '../../src/narration/segment-cache.ts';
import { toSegments } from '../../src/narration/segments.ts';
import { type SpeechEngine, speechEngine } from '../../src/narration/speech-engine.ts';
import { readMp3 } from './read-mp3.ts';

const signal = new AbortController().signal;
const DIALOGUE: readonly (readonly [string, string])[] = [
  ['Ines', 'Good morning. Could you help me?'],
  ['Paul', 'Of course. Do you have the number?'],
  ['Ines', 'Yes, it is on this receipt.'],
];

const aRequest = (lines: readonly (readonly [string, string])[] = DIALOGUE): NarrationRequest => ({
  jobId: 'job-1',
  mode: 'dialogue',
  segments: lines.map(([speaker, text], index) => ({ speaker, text, line: index + 1 })),
  cast: [
    { speaker: 'Ines', voiceId: 'local-slt' },
    { speaker: 'Paul', voiceId: 'local-kal' },
  ],
  level: 'B1',
  title: 'Homework: The Lost Parcel 📦',
});

let engine: SpeechEngine;
let folder: string;
let blobs: BlobStore;
beforeAll(() => {
  engine = speechEngine();
});
afterAll(() => engine.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'narration-'));
  blobs = filesystemBlobStore(folder);
  return () => rm(folder, { recursive: true, force: true });
});

const narrator = () => localNarrator({ engine, cache: segmentCache(blobs) });
const narrate = (request: NarrationRequest) => narrator().narrate(request, { signal });

describe('a narration', () => {
  it('is an MP3 as long as it says, with the title of the lesson', async () => {
    const { mp3, durationMs, sha256: hash } = await narrate(aRequest());
    const { title, frames, frameMs, sampleRate } = readMp3(mp3);
    expect(title).toBe('Homework: The Lost Parcel 📦');
    expect(sampleRate).toBe(16_000);
    expect(Math.abs(frames * frameMs - durationMs)).toBeLessThanOrEqual(frameMs);
    expect(hash).toBe(sha256(mp3));
  });

  it('tells when each segment sounds', async () => {
    const { segments, durationMs, characters } = await narrate(aRequest());
    expect(segments.map(({ speaker, text }) => [speaker, text])).toEqual(DIALOGUE);
    expect(segments.map(({ voiceId }) => voiceId)).toEqual(['local-slt', 'local-kal', 'local-slt']);
    let lastEnd = -250;
    for (const { startMs, endMs } of segments) {
      expect(Math.abs(startMs - lastEnd - 250)).toBeLessThanOrEqual(1);
      expect(endMs).toBeGreaterThan(startMs + 500);
      lastEnd = endMs;
    }
    expect(durationMs).toBeGreaterThan(lastEnd + 390);
    expect(durationMs).toBeLessThan(lastEnd + 600);
    expect(characters).toBe(DIALOGUE.reduce((sum, [, text]) => sum + text.length, 0));
  });

  it('is the same file for the same lesson, cached or not', async () => {
    const fresh = await narrate(aRequest());
    const cached = await narrate(aRequest());
    const forced = await narrate({ ...aRequest(), jobId: 'job-2', force: true });
    expect([fresh, cached, forced].map(({ synthesized }) => synthesized)).toEqual([3, 0, 3]);
    expect(new Set([fresh, cached, forced].map((narration) => narration.sha256)).size).toBe(1);
  });

  it('speaks only what changed', async () => {
    await narrate(aRequest());
    const edited = await narrate(aRequest(DIALOGUE.with(1, ['Paul', 'Certainly. Do you have the number?'])));
    expect(edited).toMatchObject({ synthesized: 1, cached: 2 });
    expect(edited.segments.map(({ cached }) => cached)).toEqual([true, false, true]);
  });

  it('speaks repeated words once', async () => {
    const request = aRequest([
      ['Ines', 'Yes.'],
      ['Paul', 'Yes.'],
      ['Ines', 'Yes.'],
    ]);
    expect(await narrate(request)).toMatchObject({ synthesized: 2, cached: 1 });
  });

  it('is slower for beginners', async () => {
    const durations = [];
    for (const level of ['A1', 'A2+', 'B1'])
      durations.push((await narrate({ ...aRequest(), level })).durationMs);
    expect(durations).toEqual(durations.toSorted((a, b) => b - a));
    expect(new Set(durations).size).toBe(3);
  });

  it('reports progress up to the last segment', async () => {
    const seen: string[] = [];
    await narrator().narrate(aRequest(), {
      signal,
      onProgress: (done, total) => seen.push(`${done}/${total}`),
    });
    expect(seen).toEqual(['1/3', '2/3', '3/3']);
  });

  it('takes any text', async () => {
    const texts = [
      'Привет!',
      '🎉 party 🎉',
      '日本語',
      'a\u0000b',
      '…',
      'x'.repeat(100),
      'one, two. '.repeat(120),
    ];
    const lines = texts.map((text, line) => ({ speaker: 'Ines', text, line }));
    const segments = toSegments(lines, { labels: ['Ines', 'Paul'], profileIds: [] });
    const narration = await narrate({ ...aRequest(), segments });
    expect(narration.segments).toHaveLength(segments.length);
    expect(readMp3(narration.mp3).frames).toBeGreaterThan(0);
    const unspeakable = narration.segments.find(({ text }) => text === '日本語');
    expect(unspeakable?.endMs).toBe(unspeakable?.startMs);
  });
});

describe('when something is wrong', () => {
  it('speaks again what the cache has lost', async () => {
    const { sha256: expected } = await narrate(aRequest());
    const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.pcm'));
    await writeFile(join(folder, files[0] ?? ''), 'not speech');
    expect(await narrate(aRequest())).toMatchObject({ sha256: expected, synthesized: 1, cached: 2 });
    expect(await narrate(aRequest())).toMatchObject({ synthesized: 0 });
  });

  it('stops at once when cancelled, and narrates the next lesson', async () => {
    const lines = Array.from(
      { length: 40 },
      (_, index) => ['Ines', `This is sentence number ${index}.`] as const,
    );
    const abort = new AbortController();
    const reason = new Error('the job was cancelled');
    const cancelled = narrator().narrate(aRequest(lines), {
      signal: abort.signal,
      onProgress: (done) => done === 3 && abort.abort(reason),
    });
    await expect(cancelled).rejects.toBe(reason);
    const written = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.pcm'));
    expect(written.length).toBeLessThan(8);
    expect(await narrate(aRequest())).toMatchObject({ synthesized: 3 });
  });

  it('refuses a lesson longer than half an hour before it is joined', async () => {
    const minute = new Int16Array(60 * 16_000).fill(1_000);
    const spoken = { samples: minute, turns: [], jobId: 'job-1', billed: 0, requestId: null };
    const cache = { read: async () => spoken, write: async () => {} };
    const lines = Array.from({ length: 31 }, (_, index) => ['Ines', `${index}`] as const);
    const tooLong = localNarrator({ engine, cache }).narrate(aRequest(lines), { signal });
    await expect(tooLong).rejects.toMatchObject({ code: 'narration_too_long', retryable: false });
  });

  it('refuses an empty lesson, a speaker without a voice, and a voice it does not have', async () => {
    await expect(narrate(aRequest([]))).rejects.toMatchObject({ code: 'nothing_to_narrate' });
    await expect(narrate(aRequest([['Tom', 'Hi.']]))).rejects.toMatchObject({ code: 'voice_missing' });
    const cast = [{ speaker: 'Ines', voiceId: 'EXAVITQu4vr4xnSDxMaL' }];
    await expect(narrate({ ...aRequest([['Ines', 'Hi.']]), cast })).rejects.toMatchObject({
      code: 'voice_missing',
    });
  });

  it('passes on what the blob store says', async () => {
    const failure = new Error('the disk is full');
    const cache = segmentCache({ ...blobs, put: () => Promise.reject(failure) });
    await expect(localNarrator({ engine, cache }).narrate(aRequest(), { signal })).rejects.toBe(failure);
  });
});
