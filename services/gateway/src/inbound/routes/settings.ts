import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { GrpcClient } from '@esl/kit/grpc-client';
import { type SealKeys, seal } from '@esl/kit/seal';
import { type Settings, settingsAnswerSchema, settingsChangeSchema } from '@esl-pipeline/contracts';
import type {
  OwnerSettings,
  OwnerSettingsService,
} from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import type { Audit } from '../../accounts/audit.ts';
import { clientOf } from '../client.ts';
import { problem } from '../problem.ts';
import { objectBody, parseFields } from '../request-body.ts';
import type { Handler, Route } from '../route.ts';

const CODES = {
  elevenLabsKey: 'invalid_elevenlabs_key',
  notionToken: 'invalid_notion_token',
  ttsProvider: 'invalid_tts_provider',
  defaultTtsMode: 'invalid_tts_mode',
  defaultPreset: 'invalid_preset',
  defaultVoiceAccent: 'invalid_voice_accent',
  enableNotifications: 'invalid_body',
} as const;

const answer = (settings: OwnerSettings | undefined): { settings: Settings } => {
  if (!settings) throw new Error('an answer without settings');
  const time = (at: OwnerSettings['createdAt']) => (at ? timestampDate(at).toISOString() : null);
  return {
    settings: {
      hasElevenLabsKey: settings.hasElevenlabsKey,
      hasNotionToken: settings.hasNotionToken,
      ttsProvider: (settings.ttsProvider as Settings['ttsProvider'] | undefined) ?? null,
      defaultPreset: settings.defaultPreset ?? null,
      defaultVoiceAccent: settings.defaultVoiceAccent ?? null,
      defaultTtsMode: (settings.defaultTtsMode as Settings['defaultTtsMode'] | undefined) ?? null,
      enableNotifications: settings.enableNotifications,
      createdAt: time(settings.createdAt),
      updatedAt: time(settings.updatedAt),
    },
  };
};

/** Null or empty: cleared. */
const textUpdate = (value: string | null) => (value ? { value } : {});

/** A user's settings, which the config service keeps. Keys are sealed here and shown to nobody. */
export const settingsRoutes = ({
  owners,
  keys,
  audit,
}: {
  readonly owners: GrpcClient<typeof OwnerSettingsService>['call'];
  /** Null: this system keeps no keys of users. */
  readonly keys: SealKeys | null;
  readonly audit: Audit;
}): Route[] => {
  const keyUpdate = (ownerId: string, purpose: string, key: string | null) => {
    if (!key) return {};
    if (!keys) throw problem('unavailable', 'Keys cannot be kept here: SECRETS_KEYS is not set.');
    return { sealed: seal(keys, { ownerId, purpose }, key) };
  };

  const get: Handler = async ({ principal, signal }) => {
    const { settings } = await owners.getOwnerSettings({ ownerId: principal.ownerId }, signal);
    return { status: 200, body: answer(settings) };
  };

  const put: Handler = async ({ principal, request, signal }) => {
    const { ownerId } = principal;
    if (request.body === undefined) throw problem('missing_body', 'Say what to change.');
    const wish = parseFields(
      settingsChangeSchema,
      CODES,
      objectBody(request.body, 'missing_body', 'The body'),
    );
    const { elevenLabsKey, notionToken, enableNotifications } = wish;
    const { settings } = await owners.updateOwnerSettings(
      {
        ownerId,
        ...(elevenLabsKey !== undefined && {
          elevenlabsKey: keyUpdate(ownerId, 'elevenlabs_key', elevenLabsKey),
        }),
        ...(notionToken !== undefined && { notionToken: keyUpdate(ownerId, 'notion_token', notionToken) }),
        ...(wish.ttsProvider !== undefined && { ttsProvider: textUpdate(wish.ttsProvider) }),
        ...(wish.defaultPreset !== undefined && { defaultPreset: textUpdate(wish.defaultPreset) }),
        ...(wish.defaultVoiceAccent !== undefined && {
          defaultVoiceAccent: textUpdate(wish.defaultVoiceAccent),
        }),
        ...(wish.defaultTtsMode !== undefined && { defaultTtsMode: textUpdate(wish.defaultTtsMode) }),
        ...(enableNotifications !== undefined && { enableNotifications }),
      },
      signal,
    );
    if (elevenLabsKey !== undefined || notionToken !== undefined)
      audit({
        kind: 'keys_changed',
        actorId: ownerId,
        userId: ownerId,
        address: clientOf(request).address,
        details: { elevenLabsKey: elevenLabsKey !== undefined, notionToken: notionToken !== undefined },
      });
    return { status: 200, body: answer(settings) };
  };

  const common = { reach: 'extended', tag: 'Accounts', path: '/user/settings' } as const;
  const answers = { 200: { description: 'As they are now.', schema: settingsAnswerSchema } };
  return [
    {
      ...common,
      method: 'get',
      access: 'viewer',
      name: 'getSettings',
      summary: 'Your defaults, and which keys of yours are kept',
      answers,
      errors: [],
      handle: get,
    },
    {
      ...common,
      method: 'put',
      access: 'user',
      name: 'changeSettings',
      summary: 'Change defaults and keys; what is not named stays',
      body: { schema: settingsChangeSchema, required: true },
      answers,
      errors: ['missing_body', ...Object.values(CODES)],
      handle: put,
    },
  ];
};
