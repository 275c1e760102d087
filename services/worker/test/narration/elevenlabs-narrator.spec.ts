import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlobStore, filesystemBlobStore } from '@esl/kit/blob-store';
import { eventually } from '@esl/kit/testing/world';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { elevenLabsNarrator } from '../../src/narration/elevenlabs/elevenlabs-narrator.ts';
import type { VoiceSettings } from '../../src/narration/elevenlabs/requests.ts';
import type { NarrationRequest, Narrator } from '../../src/narration/narrator.ts';
import { segmentCache } from '../../src/narration/segment-cache.ts';
import { type SpeechEngine, speechEngine } from '../../src/narration/speech-engine.ts';
import { type ElevenLabsServer, startElevenLabsServer, VOICES } from './elevenlabs-server.ts';
import { readMp3 } from './read-mp3.ts';

const signal = new AbortController().signal;
const [SARAH, GEORGE] = VOICES.map(({ voice_id }) => voice_id);
const LINES: readonly (readonly [string, string])[] = [
  ['Ines', 'Good morning. Could you help me?'],
  ['Paul', 'Of course. Do you have the number?'],
  ['Ines', 'Yes, it is on this receipt.'],
];
const TEXT = LINES.map(([, text]) => text);
const CHARACTERS = TEXT.join('').length;

let engine: SpeechEngine;
let server: ElevenLabsServer;
let folder: string;
let blobs: BlobStore;
beforeAll(async () => {
  engine = speechEngine();
  server = await startElevenLabsServer({ 'pro-key': { isPro: true }, 'poor-key': { quota: 40 } });
});
afterAll(async () => {
  await engine.close();
  await server.stop();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'elevenlabs-'));
  blobs = filesystemBlobStore(folder);
  return () => rm(folder, { recursive: true, force: true });
});
afterEach(() => {
  server.forget();
  server.setDelay(0);
  server.onSpeech(() => {});
});

const SETTINGS: VoiceSettings = {
  modelId: 'eleven_multilingual_v2',
  outputRate: 24_000,
  tailMs: 400,
  language: null,
  stability: null,
  seed: null,
};

type Account = { apiKey?: string; concurrency?: number; timeoutMs?: number };
const narrator = (settings: Partial<VoiceSettings> = {}, account: Account = {}): Narrator =>
  elevenLabsNarrator(
    { apiKey: server.key, baseUrl: server.url, concurrency: 3, firstPauseMs: 5, ...account },
    { ...SETTINGS, ...settings },
    { cache: segmentCache(blobs), encoder: engine, voices: async () => [] },
  );

const aRequest = (over: Partial<NarrationRequest> = {}, lines = LINES): NarrationRequest => ({
  jobId: 'job-1',
  mode: 'monologue',
  segments: lines.map(([speaker, text], index) => ({ speaker, text, line: index + 1 })),
  cast: [
    { speaker: 'Ines', voiceId: SARAH ?? '' },
    { speaker: 'Paul', voiceId: GEORGE ?? '' },
  ],
  level: 'B1',
  title: 'Homework: The Lost Parcel',
  ...over,
});
const narrate = (over: Partial<NarrationRequest> = {}, settings: Partial<VoiceSettings> = {}) =>
  narrator(settings).narrate(aRequest(over), { signal });
const bodies = () => server.speechRequests().map(({ body }) => body);
const statuses = () => server.speechRequests().map(({ status }) => status);

describe('a narration by ElevenLabs', () => {
  it('is one MP3 of real length, with each line said by its voice', async () => {
    const narration = await narrate();
    const { frames, frameMs, sampleRate, title } = readMp3(narration.mp3);
    expect([title, sampleRate]).toEqual(['Homework: The Lost Parcel', 24_000]);
    expect(Math.abs(frames * frameMs - narration.durationMs)).toBeLessThanOrEqual(frameMs);
    expect(narration).toMatchObject({ characters: CHARACTERS, billedCharacters: CHARACTERS, synthesized: 3 });
    expect(server.billed()).toBe(CHARACTERS);
    expect(
      server
        .speechRequests()
        .map(({ path }) => path)
        .sort(),
    ).toEqual([SARAH, GEORGE, SARAH].map((voice) => `/v1/text-to-speech/${voice}/with-timestamps`).sort());
    expect(server.speechRequests()[0]?.query.get('output_format')).toBe('pcm_24000');
  });

  it('knows when each line and each word is said', async () => {
    const { segments } = await narrate();
    expect(segments.map(({ words }) => words.map(({ text }) => text).join(' '))).toEqual(TEXT);
    for (const { startMs, endMs, words, text } of segments) {
      // The server takes 40 ms a character; 30 ms of silence stay on either side of the words.
      expect(Math.abs(endMs - startMs - text.length * 40)).toBeLessThan(70);
      const times = words.flatMap((word) => [word.startMs, word.endMs]);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times[0]).toBeGreaterThanOrEqual(startMs);
      expect(times.at(-1)).toBeLessThanOrEqual(endMs);
    }
    expect((segments[1]?.startMs ?? 0) - (segments[0]?.endMs ?? 0)).toBe(250);
  });

  it('pays nothing for what was spoken before, for whomever', async () => {
    const first = await narrate();
    const again = await narrate({ jobId: 'job-2' });
    expect(again).toMatchObject({ sha256: first.sha256, synthesized: 0, cached: 3, billedCharacters: 0 });
    expect(again.segments.map(({ words }) => words)).toEqual(first.segments.map(({ words }) => words));
    expect(server.billed()).toBe(CHARACTERS);
  });

  it('pays once for a line that two lessons want at the same time', async () => {
    const one = narrator();
    const both = await Promise.all(
      ['job-1', 'job-2'].map((jobId) => one.narrate(aRequest({ jobId }), { signal })),
    );
    expect(server.speechRequests()).toHaveLength(3);
    const billed = both.reduce((sum, { billedCharacters }) => sum + billedCharacters, 0);
    expect(billed).toBe(CHARACTERS);
  });

  it('speaks everything again when forced, but never twice for one job', async () => {
    await narrate();
    server.forget();
    const forced = { jobId: 'job-2', force: true };
    expect(await narrate(forced)).toMatchObject({ synthesized: 3, billedCharacters: CHARACTERS });
    expect(await narrate(forced)).toMatchObject({ synthesized: 0, billedCharacters: CHARACTERS });
    expect(server.billed()).toBe(CHARACTERS);
  });

  it('is slower for beginners, and tells the text around only inside a turn that was cut', async () => {
    const cut = ['The first half of it,', 'and the second.'].map((text) => ({
      speaker: 'Ines',
      text,
      line: 7,
    }));
    const whole = { speaker: 'Ines', text: 'Another line.', line: 8 };
    const lines = [...cut, whole];
    await narrate({ level: 'A1', segments: lines });
    const settings = { model_id: 'eleven_multilingual_v2', voice_settings: { speed: 0.8 } };
    const sent = bodies() as { text: string }[];
    expect(lines.map((line) => sent.find(({ text }) => text === line.text))).toEqual([
      { text: cut[0]?.text, next_text: cut[1]?.text, ...settings },
      { text: cut[1]?.text, previous_text: cut[0]?.text, ...settings },
      { text: whole.text, ...settings },
    ]);
  });

  it('asks for what the environment says', async () => {
    const pro = narrator({ outputRate: 44_100, modelId: 'eleven_v3' }, { apiKey: 'pro-key', concurrency: 1 });
    const narration = await pro.narrate(aRequest({ level: 'A1' }), { signal });
    expect(readMp3(narration.mp3).sampleRate).toBe(44_100);
    expect(bodies()).toContainEqual({ text: TEXT[0], model_id: 'eleven_v3' });
    expect(pro.estimateCost(100, 'monologue')).toBe(100);
    expect(narrator({ modelId: 'eleven_flash_v2_5' }).estimateCost(100, 'monologue')).toBe(50);
  });

  it('never has more requests under way than the account allows', async () => {
    const lines = Array.from({ length: 12 }, (_, index) => ['Ines', `Line ${index}.`] as const);
    const one = narrator();
    server.setDelay(5);
    await Promise.all(
      ['job-1', 'job-2'].map((jobId) =>
        one.narrate(aRequest({ jobId, level: jobId === 'job-1' ? 'A1' : 'B1' }, lines), { signal }),
      ),
    );
    expect(server.speechRequests()).toHaveLength(24);
    expect(server.mostAtOnce()).toBe(3);
    expect(statuses().every((status) => status === 200)).toBe(true);
  });
});

describe('a dialogue', () => {
  const dialogue = { mode: 'dialogue' } as const;

  it('is spoken in one go, and told apart afterwards', async () => {
    const { segments, billedCharacters } = await narrate(dialogue, {
      stability: 0.6,
      seed: 7,
      language: 'en',
    });
    expect(bodies()).toEqual([
      {
        model_id: 'eleven_v3',
        language_code: 'en',
        settings: { stability: 0.5 },
        seed: 7,
        inputs: LINES.map(([speaker, text]) => ({ text, voice_id: speaker === 'Ines' ? SARAH : GEORGE })),
      },
    ]);
    expect(billedCharacters).toBe(CHARACTERS);
    expect(segments.map(({ text, words }) => [text, words.map((word) => word.text).join(' ')])).toEqual(
      TEXT.map((text) => [text, text]),
    );
    for (const [index, { startMs, endMs }] of segments.entries()) {
      expect(endMs - startMs).toBe((TEXT[index]?.length ?? 0) * 40);
      if (index > 0) expect(startMs - (segments[index - 1]?.endMs ?? 0)).toBe(200);
    }
  });

  it('that is long goes out in parts, and costs nothing the second time', async () => {
    const lines = Array.from(
      { length: 60 },
      (_, index) =>
        [
          index % 2 ? 'Paul' : 'Ines',
          `Sentence ${index} of a long talk about the weather by the sea.`,
        ] as const,
    );
    const long = { ...dialogue, segments: aRequest({}, lines).segments };
    const first = await narrate(long);
    expect(server.speechRequests()).toHaveLength(2);
    expect(first.segments.map(({ text }) => text)).toEqual(lines.map(([, text]) => text));
    const again = await narrate({ ...long, jobId: 'job-2' });
    expect(again).toMatchObject({ sha256: first.sha256, synthesized: 0, billedCharacters: 0 });
    expect(server.speechRequests()).toHaveLength(2);
  });

  it('without timings in the answer is shared out by its characters', async () => {
    server.fail({ kind: 'untimed' });
    const { segments, durationMs } = await narrate(dialogue);
    const starts = segments.map(({ startMs }) => startMs);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(segments.at(-1)?.endMs).toBeLessThan(durationMs);
    expect(segments.flatMap(({ words }) => words)).toEqual([]);
  });
});

describe('when ElevenLabs refuses', () => {
  it.each([
    [401, 'invalid_api_key', 'elevenlabs_key_rejected', /enter a valid one in the settings/],
    [401, 'quota_exceeded', 'elevenlabs_quota_exceeded', /too few characters left/],
    [401, 'missing_permissions', 'elevenlabs_forbidden', /check its plan/],
    [402, 'payment_required', 'elevenlabs_quota_exceeded', /wait for its next month/],
    [403, 'forbidden', 'elevenlabs_forbidden', /its API key may use text to speech/],
    [404, 'voice_not_found', 'voice_not_found', /does not know the voice “ELSarah/],
    [422, 'value_error', 'elevenlabs_refused', /refused the text or the settings/],
    [400, 'max_character_limit_exceeded', 'elevenlabs_refused', /choose other voices or another mode/],
  ])('with %i %s, it says %s and never asks again', async (status, word, code, message) => {
    server.fail({ kind: 'refuse', status, word }, 3);
    const refused = narrate();
    await expect(refused).rejects.toMatchObject({ code, retryable: false });
    await expect(refused).rejects.toThrow(message);
    expect(server.speechRequests().length).toBeLessThanOrEqual(3);
    expect(server.billed()).toBe(0);
  });

  it('a voice nobody has, or a key nobody gave, the lesson says which', async () => {
    const cast = [{ speaker: 'Ines', voiceId: 'nobodysvoice' }];
    const [line] = aRequest().segments;
    const unknown = narrate({ cast, segments: line ? [line] : [] });
    await expect(unknown).rejects.toThrow('does not know the voice “nobodysvoice”');
    const wrongKey = narrator({}, { apiKey: 'revoked' }).narrate(aRequest(), { signal });
    await expect(wrongKey).rejects.toMatchObject({ code: 'elevenlabs_key_rejected' });
    await expect(wrongKey).rejects.not.toThrow(/revoked/);
  });

  it('for want of characters, what was spoken is kept and counted', async () => {
    const told: number[] = [];
    const poor = narrator({}, { apiKey: 'poor-key', concurrency: 1 });
    const failed = poor.narrate(aRequest(), { signal, onBilled: (characters) => told.push(characters) });
    await expect(failed).rejects.toMatchObject({ code: 'elevenlabs_quota_exceeded' });
    expect(told).toEqual([server.billed()]);
    server.setAccount('poor-key', {});
    const end = await poor.narrate(aRequest(), { signal });
    expect(end).toMatchObject({ synthesized: 2, cached: 1, billedCharacters: CHARACTERS });
    expect(server.billed()).toBe(CHARACTERS);
  });
});

describe('when something passes', () => {
  it.each([408, 409, 425, 429, 500, 502, 503, 504])('after a %i the request is repeated', async (status) => {
    server.fail({ kind: 'refuse', status });
    expect(await narrate()).toMatchObject({ synthesized: 3, billedCharacters: CHARACTERS });
    expect(server.speechRequests()).toHaveLength(4);
  });

  it('a broken connection is repeated once', async () => {
    server.fail({ kind: 'reset' });
    expect(await narrate()).toMatchObject({ billedCharacters: CHARACTERS });
    server.forget();
    server.fail({ kind: 'reset' }, 3);
    const down = narrator({}, { concurrency: 1 }).narrate(aRequest({ force: true, jobId: 'job-2' }), {
      signal,
    });
    await expect(down).rejects.toMatchObject({ code: 'elevenlabs_unavailable', retryable: true });
    expect(server.speechRequests()).toHaveLength(2);
  });

  it('an answer that breaks off was paid for, and is counted', async () => {
    server.fail({ kind: 'lose', at: 'body' });
    const [line] = aRequest().segments;
    const { billedCharacters } = await narrate({ segments: line ? [line] : [] });
    expect(billedCharacters).toBe(2 * (TEXT[0]?.length ?? 0));
    expect(server.billed()).toBe(billedCharacters);
  });

  it('an answer that is no audio, or too late, is no answer', async () => {
    server.fail({ kind: 'garbage' }, 2);
    const odd = narrator({}, { concurrency: 1 }).narrate(aRequest(), { signal });
    await expect(odd).rejects.toMatchObject({ code: 'elevenlabs_unavailable', retryable: true });
    server.forget();
    server.setDelay(10_000);
    const slow = narrator({}, { timeoutMs: 20, concurrency: 1 }).narrate(aRequest(), { signal });
    await expect(slow).rejects.toMatchObject({ code: 'elevenlabs_unavailable' });
    expect(server.speechRequests()).toHaveLength(2);
  });

  it('Retry-After holds back every request of the account', async () => {
    server.fail({ kind: 'refuse', status: 429, word: 'system_busy', retryAfter: '0.05' });
    const one = narrator({}, { concurrency: 1 });
    expect(await one.narrate(aRequest(), { signal })).toMatchObject({ synthesized: 3 });
    expect(statuses()).toEqual([429, 200, 200, 200]);
  });

  it('a long Retry-After ends the run, to be taken up again then', async () => {
    server.fail({ kind: 'refuse', status: 429, retryAfter: '120' }, 3);
    const busy = narrate();
    await expect(busy).rejects.toMatchObject({
      code: 'elevenlabs_busy',
      retryable: true,
      retryAfterMs: 120_000,
    });
    expect(server.speechRequests().length).toBeLessThanOrEqual(3);
  });

  it('an account that others use too is shared by waiting', async () => {
    server.setAccount('shared', { concurrency: 2 });
    server.setDelay(5);
    const one = narrator({}, { apiKey: 'shared', concurrency: 3 });
    expect(await one.narrate(aRequest(), { signal })).toMatchObject({ synthesized: 3 });
    expect(statuses().filter((status) => status === 200)).toHaveLength(3);
  });
});

it('stops at once when the job is cancelled, and nothing more is paid', async () => {
  const stop = new AbortController();
  const reason = new Error('cancelled');
  server.setDelay(10_000);
  server.onSpeech((nth) => {
    if (nth === 3) stop.abort(reason);
  });
  const cancelled = narrator().narrate(aRequest(), { signal: stop.signal });
  await expect(cancelled).rejects.toBe(reason);
  await eventually(() => (server.billed() === 0 ? true : null));
});
