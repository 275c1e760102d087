import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type ServedService, serve } from '@esl/kit/grpc-server';
import { accept } from '@esl/kit/outcome';
import { said } from '@esl/kit/said';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { status } from '@grpc/grpc-js';
import type { Snapshot } from '../app/live-catalog.ts';
import type { OwnerSettingsUse } from '../app/owner-settings.ts';
import type { VoiceMap } from '../domain/catalog.ts';
import type { NotionSettings } from '../domain/notion-databases.ts';
import { resolveSettings, type SettingsRefusal } from '../domain/resolve-settings.ts';

const STATUSES = {
  unknown_preset: status.INVALID_ARGUMENT,
  unknown_notion_database: status.INVALID_ARGUMENT,
  // Not UNAVAILABLE: callers repeat that by themselves, and each try waits for the database again.
  unavailable: status.DEADLINE_EXCEEDED,
} as const satisfies Record<SettingsRefusal | 'unavailable', status>;

const voiceMapToWire = ({ auto, defaultVoice, speakers }: VoiceMap) => ({
  auto: auto ?? true,
  speakers: Object.fromEntries(speakers),
  ...(defaultVoice !== null && { defaultVoice }),
});

export const configGrpc = ({
  current,
  notion,
  defaultMode,
  owners,
}: {
  readonly current: () => Snapshot;
  readonly notion: NotionSettings;
  readonly defaultMode: string;
  readonly owners: Pick<OwnerSettingsUse, 'defaults'>;
}): ServedService =>
  serve(
    ConfigService,
    {
      getJobOptions: async () => {
        const { options, version, stale, loadedAt } = current();
        return accept({
          presets: [...options.presets],
          voiceAccents: [...options.voiceAccents],
          voices: options.voices.map(said),
          notionDatabases: [...options.notionDatabases],
          uploadOptions: [...options.uploadOptions],
          modes: [...options.modes],
          version,
          stale,
          loadedAt: timestampFromDate(loadedAt),
        });
      },
      listVoices: async ({ knownVersion }) => {
        const { catalog, version } = current();
        if (knownVersion === version) return accept({ version });
        return accept({
          version,
          voices: catalog.voices.map((voice) => ({ ...said(voice), labels: { ...voice.labels } })),
          voiceMap: voiceMapToWire(catalog.voiceMap),
        });
      },
      resolveSettings: async (wish, { signal }) => {
        const owner = await owners.defaults(wish.ownerId, signal);
        // Without the owner's wishes the lesson would come out wrong, and stay so.
        if (!owner.ok) return owner;
        const { catalog, version } = current();
        const outcome = resolveSettings(
          { catalog, notion, defaultMode, owner: owner.value },
          {
            student: wish.student,
            preset: wish.preset ?? null,
            voiceAccent: wish.voiceAccent ?? null,
            notionDatabase: wish.notionDatabase ?? null,
            mode: wish.mode ?? null,
          },
        );
        if (!outcome.ok) return outcome;
        const settings = outcome.value;
        return accept({
          ...said({
            voiceAccent: settings.voiceAccent,
            notionDatabase: settings.notionDatabase,
            ttsProvider: settings.ttsProvider,
          }),
          mode: settings.mode,
          ...(settings.preset && { preset: said(settings.preset) }),
          voiceMap: voiceMapToWire(settings.voiceMap),
          profile: settings.profile,
          version,
        });
      },
    },
    STATUSES,
  );
