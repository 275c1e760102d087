import { sha256 } from '@esl/kit/blob-store';
import { NarrationError } from './narration-error.ts';
import type { Narration, NarrationOptions, NarrationRequest } from './narrator.ts';
import { type SegmentCache, type SpeechRequest, segmentKey } from './segment-cache.ts';
import type { Segment } from './segments.ts';
import type { SpeechEngine } from './speech-engine.ts';

/** Longest narration, in minutes of speech: bounds a job's memory at about 60 MB of samples at 16 kHz. */
export const MAX_MINUTES = 30;

/** What a narrator adds to the common procedure: how one segment becomes sound. */
export type Speaking = {
  readonly sampleRate: number;
  /** How many segments may be in synthesis at once. */
  readonly concurrency: number;
  readonly requestFor: (segment: Segment, voiceId: string, narration: NarrationRequest) => SpeechRequest;
  /** Must depend on nothing but the request, as its result is kept under it. */
  readonly speak: (request: SpeechRequest, signal: AbortSignal) => Promise<Int16Array>;
};

type Needs = { readonly cache: SegmentCache; readonly encoder: Pick<SpeechEngine, 'encode'> };

/** Narrates with any provider: each distinct segment is read from the cache or spoken once, then all are joined. */
export const narrateSegments =
  (speaking: Speaking, { cache, encoder }: Needs) =>
  async (narration: NarrationRequest, { signal, onProgress }: NarrationOptions): Promise<Narration> => {
    signal.throwIfAborted();
    const { segments } = narration;
    if (segments.length === 0) throw new NarrationError('nothing_to_narrate', 'There is no text to narrate.');
    const planned = plan(narration, speaking);
    const distinct = [...new Map(planned.map((each) => [each.key, each.request]))];
    const uses = Map.groupBy(planned, (each) => each.key);

    const audio = new Map<string, Int16Array>();
    const spoken = new Set<string>();
    const maxSamples = MAX_MINUTES * 60 * speaking.sampleRate;
    let samples = 0;
    let done = 0;

    await forEachConcurrently(distinct, speaking.concurrency, signal, async ([key, request], stop) => {
      let sound = narration.force ? null : await cache.read(key, stop);
      if (!sound) {
        sound = await speaking.speak(request, stop);
        spoken.add(key);
        await cache.write(key, sound, stop);
      }
      const times = uses.get(key)?.length ?? 1;
      samples += sound.length * times;
      if (samples > maxSamples)
        throw new NarrationError(
          'narration_too_long',
          `The narration is longer than ${MAX_MINUTES} minutes.`,
        );
      audio.set(key, sound);
      done += times;
      onProgress?.(done, segments.length);
    });

    const parts = planned.map(({ key, voiceId }) => ({
      voiceId,
      samples: audio.get(key) ?? new Int16Array(0),
    }));
    const track = await encoder.encode(
      { parts, sampleRate: speaking.sampleRate, title: narration.title },
      signal,
    );
    const narrated = planned.map(({ key, voiceId, segment }, index) => ({
      speaker: segment.speaker,
      text: segment.text,
      voiceId,
      ...(track.spans[index] ?? { startMs: 0, endMs: 0 }),
      cached: !spoken.delete(key), // the first segment of its kind was the one spoken
    }));
    const cached = narrated.filter((segment) => segment.cached).length;
    return {
      mp3: track.mp3,
      durationMs: track.durationMs,
      sha256: sha256(track.mp3),
      segments: narrated,
      characters: segments.reduce((total, { text }) => total + Array.from(text).length, 0),
      synthesized: narrated.length - cached,
      cached,
    };
  };

const plan = (narration: NarrationRequest, speaking: Speaking) => {
  const voices = new Map(narration.cast.map(({ speaker, voiceId }) => [speaker, voiceId]));
  return narration.segments.map((segment) => {
    const voiceId = voices.get(segment.speaker);
    if (voiceId === undefined)
      throw new NarrationError('voice_missing', `No voice is cast for ${segment.speaker}.`);
    const request = speaking.requestFor(segment, voiceId, narration);
    return { segment, voiceId, request, key: segmentKey(request) };
  });
};

/** Works through items, at most `limit` at once. The first failure stops the rest, and is thrown when they have. */
const forEachConcurrently = async <T>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal,
  work: (item: T, stop: AbortSignal) => Promise<void>,
): Promise<void> => {
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const remaining = items.values();
  const lane = async () => {
    for (const item of remaining) {
      stop.throwIfAborted();
      await work(item, stop);
    }
  };
  const lanes = Array.from({ length: limit }, () =>
    lane().catch((error: unknown) => {
      failure.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(lanes);
  stop.throwIfAborted();
};
