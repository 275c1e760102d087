import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type ServedService, serve } from '@esl/kit/grpc-server';
import { accept } from '@esl/kit/outcome';
import { said } from '@esl/kit/said';
import type {
  KeyUpdate,
  TextUpdate,
  UpdateOwnerSettingsRequest,
} from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import { OwnerSettingsService } from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import { status } from '@grpc/grpc-js';
import type { OwnerSettingsRefusal, OwnerSettingsUse } from '../app/owner-settings.ts';
import type { OwnerSettings, SettingsChange } from '../domain/owner-settings.ts';

const STATUSES = {
  owner_required: status.INVALID_ARGUMENT,
  invalid_tts_provider: status.INVALID_ARGUMENT,
  invalid_tts_mode: status.INVALID_ARGUMENT,
  invalid_elevenlabs_key: status.INVALID_ARGUMENT,
  invalid_notion_token: status.INVALID_ARGUMENT,
  invalid_settings: status.INVALID_ARGUMENT,
  // Not UNAVAILABLE: callers repeat that by themselves, and each try waits for the database again.
  unavailable: status.DEADLINE_EXCEEDED,
} as const satisfies Record<OwnerSettingsRefusal, status>;

const toWire = (settings: OwnerSettings) => {
  const { createdAt, updatedAt, enableNotifications, hasElevenLabsKey, hasNotionToken, ...texts } = settings;
  return {
    ...said(texts),
    hasElevenlabsKey: hasElevenLabsKey,
    hasNotionToken,
    enableNotifications,
    ...(createdAt && { createdAt: timestampFromDate(createdAt) }),
    ...(updatedAt && { updatedAt: timestampFromDate(updatedAt) }),
  };
};

const text = (update: TextUpdate | undefined) => update && (update.value ?? null);
const key = (update: KeyUpdate | undefined) => update && (update.sealed ?? null);

const changeOf = (request: UpdateOwnerSettingsRequest): SettingsChange => {
  const named = {
    elevenLabsKey: key(request.elevenlabsKey),
    notionToken: key(request.notionToken),
    ttsProvider: text(request.ttsProvider),
    defaultPreset: text(request.defaultPreset),
    defaultVoiceAccent: text(request.defaultVoiceAccent),
    defaultTtsMode: text(request.defaultTtsMode),
    enableNotifications: request.enableNotifications,
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
};

export const ownerSettingsGrpc = (use: OwnerSettingsUse): ServedService =>
  serve(
    OwnerSettingsService,
    {
      getOwnerSettings: async ({ ownerId }, { signal }) => {
        const found = await use.get(ownerId, signal);
        return found.ok ? accept({ settings: toWire(found.value) }) : found;
      },
      updateOwnerSettings: async (request, { signal }) => {
        const updated = await use.update(request.ownerId, changeOf(request), signal);
        return updated.ok ? accept({ settings: toWire(updated.value) }) : updated;
      },
      getOwnerKeys: async ({ ownerId }, { signal }) => {
        const found = await use.keys(ownerId, signal);
        if (!found.ok) return found;
        const { elevenLabsKey: elevenlabsKey, notionToken } = found.value;
        return accept(said({ elevenlabsKey, notionToken }));
      },
    },
    STATUSES,
  );
