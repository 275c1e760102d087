import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { MODES } from '@esl-pipeline/contracts/http/submit-job';
import {
  hasSettings,
  NEW_OWNER,
  type OwnerKeys,
  type OwnerSettings,
  type SettingsChange,
  TTS_PROVIDERS,
} from '../domain/owner-settings.ts';
import { type OwnerSettingsStore, StoreUnavailable } from './needs.ts';

export type OwnerSettingsRefusal =
  | 'owner_required'
  | 'invalid_tts_provider'
  | 'invalid_tts_mode'
  | 'invalid_elevenlabs_key'
  | 'invalid_notion_token'
  | 'invalid_settings'
  | 'unavailable';

type Answer<T, Code extends OwnerSettingsRefusal = 'owner_required' | 'unavailable'> = Outcome<T, Code>;

export type OwnerSettingsUse = {
  readonly get: (ownerId: string, signal: AbortSignal) => Promise<Answer<OwnerSettings>>;
  readonly keys: (ownerId: string, signal: AbortSignal) => Promise<Answer<OwnerKeys>>;
  readonly update: (
    ownerId: string,
    change: SettingsChange,
    signal: AbortSignal,
  ) => Promise<Answer<OwnerSettings, OwnerSettingsRefusal>>;
  /** What jobs of this owner go by; null when the owner can have no settings. */
  readonly defaults: (
    ownerId: string,
    signal: AbortSignal,
  ) => Promise<Outcome<OwnerSettings | null, 'unavailable'>>;
};

const MAX_OWNER_ID = 128;
const MAX_TEXT = 1_024;
const MAX_SEALED = 16_384;
/** `<key version>.<base64url>`, as the kit seals: a key that somebody forgot to seal is not stored. */
const SEALED = /^[a-z0-9]{1,16}\.[A-Za-z0-9_-]{38,}$/;

const isOwner = (ownerId: string) => ownerId !== '' && ownerId.length <= MAX_OWNER_ID;
const ownerRequired = () => refuse('owner_required', 'The request says nobody’s settings.');

const isSealed = (key: string | null | undefined) =>
  key == null || (key.length <= MAX_SEALED && SEALED.test(key));
const isOneOf = (words: readonly string[], word: string | null | undefined) =>
  word == null || words.includes(word);

const faultIn = (change: SettingsChange) => {
  if (!isSealed(change.elevenLabsKey))
    return refuse('invalid_elevenlabs_key', 'The ElevenLabs key was not sealed.');
  if (!isSealed(change.notionToken))
    return refuse('invalid_notion_token', 'The Notion token was not sealed.');
  if (!isOneOf(TTS_PROVIDERS, change.ttsProvider))
    return refuse('invalid_tts_provider', `The provider must be one of ${TTS_PROVIDERS.join(', ')}.`);
  if (!isOneOf(MODES, change.defaultTtsMode))
    return refuse('invalid_tts_mode', `The mode must be one of ${MODES.join(', ')}.`);
  for (const text of [change.defaultPreset, change.defaultVoiceAccent])
    if (text != null && (text.trim() === '' || text.length > MAX_TEXT))
      return refuse('invalid_settings', `A setting must be a text of at most ${MAX_TEXT} characters.`);
  return null;
};

const orUnavailable = async <T>(work: Promise<T>) => {
  try {
    return accept(await work);
  } catch (error) {
    if (error instanceof StoreUnavailable)
      return refuse('unavailable', 'The settings cannot be reached now.');
    throw error;
  }
};

/** `changed` is called after each change and before its answer, so that whoever remembers settings can forget them. */
export const ownerSettings = (needs: {
  readonly store: OwnerSettingsStore;
  readonly changed: () => void;
}): OwnerSettingsUse => {
  const { store, changed } = needs;
  return {
    get: async (ownerId, signal) => {
      if (!isOwner(ownerId)) return ownerRequired();
      return orUnavailable(store.find(ownerId, signal).then((found) => found ?? NEW_OWNER));
    },
    keys: async (ownerId, signal) => {
      if (!isOwner(ownerId)) return ownerRequired();
      return orUnavailable(store.keys(ownerId, signal));
    },
    update: async (ownerId, change, signal) => {
      if (!isOwner(ownerId)) return ownerRequired();
      const fault = faultIn(change);
      if (fault) return fault;
      const updated = await orUnavailable(store.update(ownerId, change, signal));
      if (updated.ok) changed();
      return updated;
    },
    defaults: async (ownerId, signal) =>
      hasSettings(ownerId)
        ? orUnavailable(store.find(ownerId, signal).then((found) => found ?? NEW_OWNER))
        : accept(null),
  };
};
