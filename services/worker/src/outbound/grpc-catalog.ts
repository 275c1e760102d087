import type { ServiceClient } from '@esl/kit/grpc-client';
import type {
  ConfigService,
  ResolveSettingsResponse,
} from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { toRunError } from '../pipeline/run-error.ts';
import type { Catalog, Settings, SettingsWish } from '../pipeline/settings.ts';

/** The announcement of a new catalog may be lost; an old answer is believed no longer than this, in ms. */
const MAX_AGE_MS = 30_000;
const MAX_ENTRIES = 256;

const settingsOf = (response: ResolveSettingsResponse): Settings => {
  const { preset, voiceMap } = response;
  return {
    preset: preset
      ? {
          name: preset.name,
          colours: {
            ...(preset.h2 !== undefined && { h2: preset.h2 }),
            ...(preset.h3 !== undefined && { h3: preset.h3 }),
            ...(preset.toggleH2 !== undefined && { toggleMap: { h2: preset.toggleH2 } }),
          },
        }
      : null,
    voiceAccent: response.voiceAccent ?? null,
    notionDatabase: response.notionDatabase ?? null,
    mode: response.mode ?? null,
    ttsProvider: response.ttsProvider ?? null,
    voiceMap: {
      auto: voiceMap?.auto ?? true,
      ...(voiceMap?.defaultVoice !== undefined && { defaultVoice: voiceMap.defaultVoice }),
      speakers: voiceMap?.speakers ?? {},
    },
  };
};

/** The config service's catalog. Equal wishes are asked once, until `forget` is called or the answer is old. */
export const grpcCatalog = (
  config: Pick<ServiceClient<typeof ConfigService>, 'resolveSettings'>,
  now: () => number = performance.now.bind(performance),
): Catalog & { readonly forget: () => void } => {
  let answers = new Map<string, { readonly settings: Settings; readonly at: number }>();
  return {
    resolve: async (wish: SettingsWish, signal) => {
      const { student, preset, voiceAccent, notionDatabase, mode, ownerId } = wish;
      const key = JSON.stringify([student, preset, voiceAccent, notionDatabase, mode, ownerId]);
      const known = answers.get(key);
      if (known && now() - known.at < MAX_AGE_MS) return known.settings;
      const asked = answers; // an answer that was under way when the catalog changed is not remembered
      const at = now();
      const response = await config
        .resolveSettings(
          {
            student,
            ownerId,
            ...(preset !== null && { preset }),
            ...(voiceAccent !== null && { voiceAccent }),
            ...(notionDatabase !== null && { notionDatabase }),
            ...(mode !== null && { mode }),
          },
          signal,
        )
        .catch((error: unknown) => {
          signal.throwIfAborted();
          throw toRunError(error);
        });
      const settings = settingsOf(response);
      asked.delete(key);
      asked.set(key, { settings, at });
      const [oldest] = asked.keys();
      if (asked.size > MAX_ENTRIES && oldest !== undefined) asked.delete(oldest);
      return settings;
    },
    forget: () => {
      answers = new Map();
    },
  };
};
