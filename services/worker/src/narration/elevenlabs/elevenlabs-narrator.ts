import { countBilledCharacters } from '@esl/kit/provider-call';
import { narrateSegments } from '../narrate-segments.ts';
import type { Narrator } from '../narrator.ts';
import type { SegmentCache } from '../segment-cache.ts';
import type { SpeechEngine } from '../speech-engine.ts';
import type { Voice } from '../voice.ts';
import { type Account, elevenLabsClient } from './client.ts';
import { creditsPerCharacter, DIALOGUE_MODEL } from './models.ts';
import { callOf, ENGINE, ENGINE_VERSION, utterancesOf, type VoiceSettings } from './requests.ts';
import { turnsOf } from './timings.ts';

type Needs = {
  readonly cache: SegmentCache;
  readonly encoder: Pick<SpeechEngine, 'encode'>;
  readonly voices: (signal: AbortSignal) => Promise<readonly Voice[]>;
};

/** Narrates with one ElevenLabs account. */
export const elevenLabsNarrator = (account: Account, settings: VoiceSettings, needs: Needs): Narrator => {
  const client = elevenLabsClient(account);
  const { modelId, outputRate, tailMs } = settings;
  return {
    engine: ENGINE,
    voices: needs.voices,
    acceptsRawVoiceIds: true,
    settings: { version: ENGINE_VERSION, ...settings },
    estimateCost: (characters, mode) =>
      characters * creditsPerCharacter(mode === 'dialogue' ? DIALOGUE_MODEL : modelId),
    narrate: narrateSegments(
      {
        sampleRate: outputRate,
        tailMs,
        // More than the account allows, so that a request is ready for each slot while speech is being stored.
        concurrency: 2 * account.concurrency,
        utterances: utterancesOf(settings),
        speak: async (request, stops) => {
          const answer = await client.post(
            callOf(request).path,
            { ...callOf(request), format: request.format },
            stops,
          );
          const samples = samplesOf(answer.audio);
          const texts = request.turns.map(({ text }) => text);
          const characters = texts.reduce((total, text) => total + Array.from(text).length, 0);
          countBilledCharacters('elevenlabs', characters * answer.timesDone);
          return {
            samples,
            turns: turnsOf(answer.timings, texts, Math.round((samples.length * 1_000) / outputRate)),
            billed: characters * answer.timesDone,
            requestId: answer.requestId,
          };
        },
      },
      { cache: needs.cache, encoder: needs.encoder },
    ),
  };
};

/** 16-bit little-endian bytes as samples of their own; half a sample at the end is dropped. */
const samplesOf = (audio: Buffer): Int16Array => {
  const bytes = new Uint8Array(audio.subarray(0, audio.length - (audio.length % 2)));
  return new Int16Array(bytes.buffer);
};
