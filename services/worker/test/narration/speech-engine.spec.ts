import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FliteSound } from '../../src/narration/flite.ts';
import { LOCAL_VOICES } from '../../src/narration/local-voices.ts';
import { type SpeechEngineOptions, speechEngine } from '../../src/narration/speech-engine.ts';

const signal = new AbortController().signal;
const KAL: FliteSound = { model: 'kal16', pitchHz: null, stretch: 1 };
const seconds = (samples: Int16Array) => samples.length / 16_000;
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: { code?: string }) => error.code,
  );

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'speech-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const fragileEngine = (options: Omit<SpeechEngineOptions, 'entry'> = {}) =>
  speechEngine({ ...options, entry: new URL('./crashing-speech-worker.ts', import.meta.url) });

describe('offline speech', () => {
  it.each(LOCAL_VOICES)('$name says something of sensible length, the same each time', async (voice) => {
    await using engine = speechEngine();
    const say = () => engine.speak({ text: 'Good morning. Could you help me?', sound: voice }, signal);
    const first = await say();
    expect(seconds(first)).toBeGreaterThan(1);
    expect(seconds(first)).toBeLessThan(4);
    expect(await say()).toEqual(first);
  });

  it('gives every voice its own sound', async () => {
    await using engine = speechEngine();
    const spoken = LOCAL_VOICES.map((sound) => engine.speak({ text: 'Hello there.', sound }, signal));
    const sounds = (await Promise.all(spoken)).map((samples) => samples.join());
    expect(new Set(sounds).size).toBe(LOCAL_VOICES.length);
  });

  it('slows down', async () => {
    await using engine = speechEngine();
    const say = (stretch: number) =>
      engine.speak({ text: 'Good morning to you.', sound: { ...KAL, stretch } }, signal);
    const [normal, slow] = await Promise.all([say(1), say(1.25)]);
    expect(seconds(slow) / seconds(normal)).toBeGreaterThan(1.1);
  });

  it.each([
    '%s%n',
    '-o /etc/passwd',
    '<speak>',
    '"\'`$(ls)',
    '!?(((',
    '1234567890'.repeat(10),
    'a'.repeat(300),
  ])('survives %j', async (text) => {
    await using engine = speechEngine();
    await expect(engine.speak({ text, sound: KAL }, signal)).resolves.toBeInstanceOf(Int16Array);
  });

  it('leaves the main loop free', async () => {
    await using engine = speechEngine();
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 1);
    await engine.speak({ text: 'hello '.repeat(150), sound: { ...KAL, model: 'slt' } }, signal);
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(5);
  });
});

describe('giving up on speech', () => {
  it('is immediate, for running and waiting tasks, and leaves the engine in order', async () => {
    await using engine = speechEngine();
    const abort = new AbortController();
    const long = { text: 'hello '.repeat(160), sound: KAL };
    const doomed = [engine.speak(long, abort.signal), engine.speak(long, abort.signal)];
    const other = engine.speak({ text: 'Still here.', sound: KAL }, signal);
    const reason = new Error('the job was cancelled');
    abort.abort(reason);
    for (const each of await Promise.allSettled(doomed)) expect(each).toMatchObject({ reason });
    expect(seconds(await other)).toBeLessThan(3);
  });

  it('before it began never reaches the engine', async () => {
    await using engine = speechEngine();
    const reason = new Error('too late');
    await expect(engine.speak({ text: 'Hi.', sound: KAL }, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it('settles every task when the engine is closed', async () => {
    const engine = speechEngine();
    const tasks = ['One.', 'Two.'].map((text) => codeOf(engine.speak({ text, sound: KAL }, signal)));
    await engine.close();
    expect(await Promise.all(tasks)).toEqual(['speech_engine_closed', 'speech_engine_closed']);
    expect(await codeOf(engine.speak({ text: 'Three.', sound: KAL }, signal))).toBe('speech_engine_closed');
  });
});

describe('when the speech thread fails', () => {
  it('starts another and tries the task again', async () => {
    await using engine = fragileEngine();
    const spoken = ['One.', `die once ${join(folder, 'mark')}`, 'Two.'].map((text) =>
      engine.speak({ text, sound: KAL }, signal),
    );
    for (const samples of await Promise.all(spoken)) expect(seconds(samples)).toBeGreaterThan(0.2);
  });

  it('gives up on a task that kills it twice, and on no other', async () => {
    await using engine = fragileEngine();
    const killer = codeOf(engine.speak({ text: 'die always', sound: KAL }, signal));
    const other = engine.speak({ text: 'Two.', sound: KAL }, signal);
    expect(await killer).toBe('speech_thread_lost');
    expect(seconds(await other)).toBeGreaterThan(0.2);
  });

  it('replaces a thread that hangs', async () => {
    await using engine = fragileEngine({ taskTimeoutMs: 5_000 });
    const stuck = codeOf(engine.speak({ text: 'hang', sound: KAL }, signal));
    const other = engine.speak({ text: 'Two.', sound: KAL }, signal);
    expect(await stuck).toBe('speech_timed_out');
    expect(seconds(await other)).toBeGreaterThan(0.2);
  });

  it('reports a thread that cannot start', async () => {
    await using engine = speechEngine({ entry: new URL('./no-such-worker.ts', import.meta.url) });
    expect(await codeOf(engine.speak({ text: 'Hi.', sound: KAL }, signal))).toBe('speech_thread_lost');
  });

  it('reports a task the thread cannot do', async () => {
    await using engine = speechEngine();
    const task = { parts: [], sampleRate: 12_345, tailMs: 0, title: '' };
    expect(await codeOf(engine.encode(task, signal))).toBe('speech_failed');
  });
});

it('refuses more tasks than it may keep waiting', async () => {
  await using engine = speechEngine({ maxQueued: 2 });
  const tasks = [1, 2, 3, 4].map(() => codeOf(engine.speak({ text: 'Hi.', sound: KAL }, signal)));
  expect(await Promise.all(tasks)).toEqual(['resolved', 'resolved', 'resolved', 'speech_queue_full']);
});
