/** What an owner wants for jobs that say nothing; null: no wish. */
export type OwnerDefaults = {
  readonly ttsProvider: string | null;
  readonly defaultPreset: string | null;
  readonly defaultVoiceAccent: string | null;
  readonly defaultTtsMode: string | null;
};

export type OwnerSettings = OwnerDefaults & {
  readonly hasElevenLabsKey: boolean;
  readonly hasNotionToken: boolean;
  readonly enableNotifications: boolean;
  /** Null until the owner sets something. */
  readonly createdAt: Date | null;
  readonly updatedAt: Date | null;
};

/** Keys as they were sealed elsewhere: nothing here can open them. */
export type OwnerKeys = { readonly elevenLabsKey: string | null; readonly notionToken: string | null };

/** A value to set, null to clear it; what is missing stays. */
export type SettingsChange = Partial<OwnerDefaults & OwnerKeys & { readonly enableNotifications: boolean }>;

/** Of an owner who never set anything. */
export const NEW_OWNER: OwnerSettings = {
  hasElevenLabsKey: false,
  hasNotionToken: false,
  ttsProvider: 'elevenlabs',
  defaultPreset: 'b1-default',
  defaultVoiceAccent: 'american',
  defaultTtsMode: 'auto',
  enableNotifications: true,
  createdAt: null,
  updatedAt: null,
};

/** Only the first two narrate; the others are words of an older client, and are kept for it. */
export const TTS_PROVIDERS = ['elevenlabs', 'local', 'openai', 'azure', 'google'];

/** Whether jobs of this owner have settings of their own. The tenant of everyone, while accounts are off, has none. */
export const hasSettings = (ownerId: string): boolean => ownerId !== '' && ownerId !== 'anonymous';
