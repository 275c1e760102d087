import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type ServedService, serve } from '@esl/kit/grpc-server';
import { accept, refuse } from '@esl/kit/outcome';
import { said } from '@esl/kit/said';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { status } from '@grpc/grpc-js';
import type { Snapshot } from '../app/live-catalog.ts';
import type { OwnerSettingsUse } from '../app/owner-settings.ts';
import { type Narrator, type VoiceMap, voicesOf } from '../domain/catalog.ts';
import { jobOptions } from '../domain/job-options.ts';
import type { NotionSettings } from '../domain/notion-databases.ts';
import type { OwnerSettings } from '../domain/owner-settings.ts';
import { resolveSettings, type SettingsRefusal } from '../domain/resolve-settings.ts';

const STATUSES = {
  unknown_preset: status.INVALID_ARGUMENT,
  unknown_notion_database: status.INVALID_ARGUMENT,
  unknown_narrator: status.INVALID_ARGUMENT,
  // Not UNAVAILABLE: callers repeat that by themselves, and each try waits for the database again.
  unavailable: status.DEADLINE_EXCEEDED,
} as const satisfies Record<SettingsRefusal | 'unknown_narrator' | 'unavailable', status>;

const voiceMapToWire = ({ auto, defaultVoice, speakers }: VoiceMap) => ({
  auto: auto ?? true,
  speakers: Object.fromEntries(speakers),
  ...(defaultVoice !== null && { defaultVoice }),
});

/** Whose voices an owner's lessons are spoken with. */
const narratorFor = (ofSystem: Narrator, { ttsProvider, hasElevenLabsKey }: OwnerSettings): Narrator => {
  if (ttsProvider === 'local') return 'local';
  return hasElevenLabsKey ? 'elevenlabs' : ofSystem;
};

const notionFor = (ofSystem: NotionSettings, { hasNotionToken }: OwnerSettings): NotionSettings => ({
  ...ofSystem,
  hasToken: ofSystem.hasToken || hasNotionToken,
});

export const configGrpc = ({
  current,
  narrator,
  notion,
  defaultMode,
  owners,
}: {
  readonly current: () => Snapshot;
  /** Of the system's own accounts. */
  readonly narrator: Narrator;
  readonly notion: NotionSettings;
  readonly defaultMode: string;
  readonly owners: Pick<OwnerSettingsUse, 'defaults'>;
}): ServedService =>
  serve(
    ConfigService,
    {
      getJobOptions: async ({ ownerId }, { signal }) => {
        const { catalog, options: ofSystem, version, stale, loadedAt } = current();
        // A form is worth more than the owner's own accounts in it.
        const owner = await owners.defaults(ownerId, signal);
        const own = owner.ok ? owner.value : null;
        const options = own
          ? jobOptions(catalog, notionFor(notion, own), narratorFor(narrator, own))
          : ofSystem;
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
      listVoices: async ({ knownVersion, narrator: wanted }) => {
        if (wanted !== '' && wanted !== 'elevenlabs' && wanted !== 'local')
          return refuse('unknown_narrator', 'There is no narrator of that name.');
        const { catalog, version } = current();
        if (knownVersion === version) return accept({ version });
        return accept({
          version,
          voices: voicesOf(catalog, wanted || narrator).map((voice) => ({
            ...said(voice),
            labels: { ...voice.labels },
            verifiedLanguages: [...voice.verifiedLanguages],
          })),
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
