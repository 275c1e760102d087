import type { BlobStore } from '@esl/kit/blob-store';
import { chooseNarrator } from './narration/choose-narrator.ts';
import { elevenLabsNarrator } from './narration/elevenlabs/elevenlabs-narrator.ts';
import { type ElevenLabsEnv, voiceSettingsOf } from './narration/elevenlabs/environment.ts';
import { localNarrator } from './narration/local-narrator.ts';
import { segmentCache } from './narration/segment-cache.ts';
import type { SpeechEngine } from './narration/speech-engine.ts';
import type { Voice } from './narration/voice.ts';

/** The narrators there are, to choose from by an owner's key and wish. */
export const narrators = (
  env: ElevenLabsEnv,
  needs: {
    readonly blobs: Pick<BlobStore, 'get' | 'put'>;
    readonly engine: SpeechEngine;
    readonly voices: (signal: AbortSignal) => Promise<readonly Voice[]>;
  },
) => {
  const { blobs, engine, voices } = needs;
  /** What was spoken here can be spoken again, and is checked when read: it need not wait for the disk. */
  const passing = segmentCache({
    get: blobs.get,
    put: (key, body, options, signal) => blobs.put(key, body, { ...options, mayBeLost: true }, signal),
  });
  const paid = segmentCache(blobs);
  const settings = voiceSettingsOf(env);
  return chooseNarrator({
    local: localNarrator({ engine, cache: passing }),
    elevenLabs: (apiKey) =>
      elevenLabsNarrator(
        { apiKey, baseUrl: env.ELEVENLABS_BASE_URL, concurrency: env.ELEVENLABS_CONCURRENCY },
        settings,
        { cache: paid, encoder: engine, voices },
      ),
  });
};
