import { sha256 } from '@esl/kit/blob-store';
import { NarrationError } from './narration-error.ts';
import type { NarratedSegment, Narration, NarrationOptions, NarrationRequest } from './narrator.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { type CachedSpeech, type SegmentCache, segmentKey } from './segment-cache.ts';
import type { Segment } from './segments.ts';
import type { Speech, SpeechRequest, SpokenTurn } from './speech.ts';
import type { EncodedTrack, SpeechEngine } from './speech-engine.ts';

// From segments to one file, with any provider.
//   N1. Each distinct request is read from the cache or spoken once, also when several lessons want it at once.
//   N2. Speech is in the cache, together with its bill and the job that pays it, before anything else happens to it:
//       however often a run is cut off and repeated, its job is billed for each request once.
//   N3. When a request fails for good nothing more is begun, but what is under way, and may be paid, ends and is kept.

/** Longest narration, in minutes of speech: bounds a job's memory at about 90 MB of samples at 24 kHz. */
export const MAX_MINUTES = 30;

/** How long speech may take to be stored, in ms. It is paid for: a run that ends meanwhile still keeps it. */
const STORE_MS = 10_000;

/** Segments that are spoken in one request; the request has one turn for each. */
export type Utterance = {
  readonly request: SpeechRequest;
  readonly segments: readonly Segment[];
};

/** A segment and who speaks it. */
export type CastSegment = Segment & { readonly voiceId: string };

/** What a narrator adds to the common procedure: how segments become requests, and a request sound. */
export type Speaking = {
  readonly sampleRate: number;
  /** Silence after the last segment, so that players do not cut it short. */
  readonly tailMs: number;
  /** How many requests of one narration are worked on at once: read, spoken, stored. */
  readonly concurrency: number;
  /** Every segment, in order, in exactly one utterance. */
  readonly utterances: (
    segments: readonly CastSegment[],
    narration: NarrationRequest,
  ) => readonly Utterance[];
  /** Must depend on nothing but the request, as its result is kept under it. */
  readonly speak: (request: SpeechRequest, stops: Stops) => Promise<FreshSpeech>;
};

export type FreshSpeech = Speech & Pick<CachedSpeech, 'billed' | 'requestId'>;

export type Stops = {
  /** Ends what is under way. */
  readonly signal: AbortSignal;
  /** Begins nothing more, such as another try. Fires with `signal` or before it. */
  readonly enough: AbortSignal;
};

type Needs = { readonly cache: SegmentCache; readonly encoder: Pick<SpeechEngine, 'encode'> };

type Planned = Utterance & { readonly key: string };

export const narrateSegments = (speaking: Speaking, { cache, encoder }: Needs) => {
  const alone = oneAtATime();

  return async (
    narration: NarrationRequest,
    { signal, onProgress, onBilled }: NarrationOptions,
  ): Promise<Narration> => {
    signal.throwIfAborted();
    const { segments, jobId } = narration;
    if (segments.length === 0) throw new NarrationError('nothing_to_narrate', 'There is no text to narrate.');
    const planned: readonly Planned[] = speaking
      .utterances(withVoices(narration), narration)
      .map((utterance) => ({ ...utterance, key: segmentKey(utterance.request) }));
    const distinct = [...new Map(planned.map((each) => [each.key, each])).values()];
    const uses = Map.groupBy(planned, (each) => each.key);

    const speech = new Map<string, Speech>();
    const spoken = new Set<string>();
    const maxSamples = MAX_MINUTES * 60 * speaking.sampleRate;
    let samples = 0;
    let done = 0;
    let billedCharacters = 0;

    /** A forced narration takes from the cache only what it has put there itself, before it was cut off. */
    const isUsable = (cached: CachedSpeech) => !narration.force || cached.jobId === jobId;
    const obtain = async ({ key, request }: Planned, enough: AbortSignal): Promise<CachedSpeech> => {
      const cached = await cache.read(key, signal);
      if (cached && isUsable(cached)) return cached;
      enough.throwIfAborted();
      const fresh = { ...(await speaking.speak(request, { signal, enough })), jobId };
      spoken.add(key);
      await cache.write(key, fresh, AbortSignal.timeout(STORE_MS));
      return fresh;
    };

    await forEachConcurrently(distinct, speaking.concurrency, signal, async (utterance, enough) => {
      const { key, segments: said } = utterance;
      const sound = await alone(key, enough, () => obtain(utterance, enough));
      if (sound.jobId === jobId && sound.billed > 0) {
        billedCharacters += sound.billed;
        onBilled?.(billedCharacters);
      }
      const times = uses.get(key)?.length ?? 1;
      samples += sound.samples.length * times;
      if (samples > maxSamples)
        throw new NarrationError(
          'narration_too_long',
          `The narration is longer than ${MAX_MINUTES} minutes.`,
        );
      speech.set(key, sound);
      done += times * said.length;
      onProgress?.(done, segments.length);
    });

    const parts = planned.map(({ key, request }) => ({
      // A dialogue is evened out as a whole: its voices were balanced by whoever spoke it.
      voiceId: request.turns.length === 1 ? (request.turns[0]?.voice ?? '') : 'dialogue',
      samples: speech.get(key)?.samples ?? new Int16Array(0),
    }));
    const track = await encoder.encode(
      { parts, sampleRate: speaking.sampleRate, tailMs: speaking.tailMs, title: narration.title },
      signal,
    );
    const narrated = planned.flatMap((utterance, index) => {
      const cached = !spoken.delete(utterance.key); // the first utterance of its kind was the one spoken
      const turns = speech.get(utterance.key)?.turns ?? [];
      return placed(utterance, turns, spanOf(track, index)).map((segment) => ({ ...segment, cached }));
    });
    const cached = narrated.filter((segment) => segment.cached).length;
    return {
      mp3: track.mp3,
      durationMs: track.durationMs,
      sha256: sha256(track.mp3),
      segments: narrated,
      characters: segments.reduce((total, { text }) => total + Array.from(text).length, 0),
      billedCharacters,
      synthesized: narrated.length - cached,
      cached,
    };
  };
};

const withVoices = ({ segments, cast }: NarrationRequest): CastSegment[] => {
  const voices = new Map(cast.map(({ speaker, voiceId }) => [speaker, voiceId]));
  return segments.map((segment) => {
    const voiceId = voices.get(segment.speaker);
    if (voiceId === undefined)
      throw new NarrationError('voice_missing', `No voice is cast for ${segment.speaker}.`);
    return { ...segment, voiceId };
  });
};

/** Where a part of the track lies, and how much of its beginning was cut as silence, all in ms. */
type Place = { readonly startMs: number; readonly endMs: number; readonly skippedMs: number };

const spanOf = ({ spans, skippedMs }: EncodedTrack, index: number): Place => ({
  ...(spans[index] ?? { startMs: 0, endMs: 0 }),
  skippedMs: skippedMs[index] ?? 0,
});

/** The segments of an utterance on the track's clock. A lone turn is what is left of its part after trimming. */
const placed = (
  { request, segments }: Utterance,
  turns: readonly SpokenTurn[],
  { startMs, endMs, skippedMs }: Place,
): Omit<NarratedSegment, 'cached'>[] => {
  const onTrack = (ms: number) => Math.min(endMs, Math.max(startMs, Math.round(startMs - skippedMs + ms)));
  return segments.map(({ speaker, text }, index) => {
    const turn = turns[index];
    const isLone = segments.length === 1 || turn === undefined;
    return {
      speaker,
      text,
      voiceId: request.turns[index]?.voice ?? '',
      startMs: isLone ? startMs : onTrack(turn.startMs),
      endMs: isLone ? endMs : onTrack(turn.endMs),
      words: (turn?.words ?? []).map((word) => ({
        text: word.text,
        startMs: onTrack(word.startMs),
        endMs: onTrack(word.endMs),
      })),
    };
  });
};

/** Works through items, at most `limit` at once. After a failure none is begun; it is thrown when the others ended. */
const forEachConcurrently = async <T>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal,
  work: (item: T, enough: AbortSignal) => Promise<void>,
): Promise<void> => {
  const failure = new AbortController();
  const enough = AbortSignal.any([signal, failure.signal]);
  const remaining = items.values();
  const lane = async () => {
    for (const item of remaining) {
      enough.throwIfAborted();
      await work(item, enough);
    }
  };
  const lanes = Array.from({ length: limit }, () =>
    lane().catch((error: unknown) => {
      failure.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(lanes);
  enough.throwIfAborted();
};
