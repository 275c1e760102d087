import type { ServiceClient } from '@esl/kit/grpc-client';
import type { ConfigService, Voice as WireVoice } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import type { Voice } from '../narration/voice.ts';
import { toRunError } from '../pipeline/run-error.ts';

/** The announcement of new voices may be lost; a list is believed no longer than this, in ms. */
const MAX_AGE_MS = 30_000;

/** The config service's catalogue of ElevenLabs' voices. Only a new version travels, asked for when the last is old. */
export const grpcVoices = (
  config: Pick<ServiceClient<typeof ConfigService>, 'listVoices'>,
  now: () => number = performance.now.bind(performance),
) => {
  let known: { readonly voices: readonly Voice[]; readonly version: string; readonly at: number } | null =
    null;
  let isOld = false;
  return {
    list: async (signal: AbortSignal): Promise<readonly Voice[]> => {
      if (known && !isOld && now() - known.at < MAX_AGE_MS) return known.voices;
      isOld = false;
      const at = now();
      const answer = await config
        .listVoices({ knownVersion: known?.version ?? '', narrator: 'elevenlabs' }, signal)
        .catch((error: unknown) => {
          signal.throwIfAborted();
          throw toRunError(error);
        });
      const isSame = known !== null && answer.version === known.version;
      const voices = isSame && known ? known.voices : answer.voices.map(voiceOf);
      known = { voices, version: answer.version, at };
      return voices;
    },
    forget: () => {
      isOld = true;
    },
  };
};

const voiceOf = ({ id, name, category, labels }: WireVoice): Voice => ({
  id,
  name,
  category: category ?? '',
  labels,
});
