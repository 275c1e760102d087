import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import {
  type Catalog,
  DEFAULT_PROFILE,
  NO_VOICE_MAP,
  type Preset,
  profileFor,
  type VoiceMap,
} from './catalog.ts';
import { isKnownDatabase, type NotionSettings } from './notion-databases.ts';

/** What the job and the lesson say; null: nothing. */
export type Wanted = {
  readonly student: string;
  readonly preset: string | null;
  readonly voiceAccent: string | null;
  readonly notionDatabase: string | null;
};

export type Settings = {
  readonly preset: (Preset & { readonly name: string }) | null;
  readonly voiceAccent: string | null;
  readonly notionDatabase: string | null;
  readonly voiceMap: VoiceMap;
  /** Name of the profile used. */
  readonly profile: string;
};

export type SettingsRefusal = 'unknown_preset' | 'unknown_notion_database';

const over = (base: VoiceMap, top: VoiceMap): VoiceMap => ({
  auto: top.auto ?? base.auto,
  defaultVoice: top.defaultVoice ?? base.defaultVoice,
  speakers: new Map([...base.speakers, ...top.speakers]),
});

/**
 * Fills what a job leaves open from the student's profile, and a missing database from the environment. Only what the
 * job itself names can be refused: a profile's preset that does not exist (any more) is passed over.
 */
export const resolveSettings = (
  catalog: Catalog,
  notion: NotionSettings,
  wanted: Wanted,
): Outcome<Settings, SettingsRefusal> => {
  const profile = profileFor(catalog, wanted.student);
  if (wanted.preset !== null && !catalog.presets.has(wanted.preset))
    return refuse('unknown_preset', 'There is no preset of that name.', { preset: wanted.preset });
  if (wanted.notionDatabase !== null && !isKnownDatabase(wanted.notionDatabase, catalog.students, notion))
    return refuse('unknown_notion_database', 'There is no Notion database of that id.', {
      notionDatabase: wanted.notionDatabase,
    });
  const name = wanted.preset ?? profile?.preset ?? '';
  const preset = catalog.presets.get(name);
  return accept({
    preset: preset ? { name, ...preset } : null,
    voiceAccent: wanted.voiceAccent ?? profile?.voiceAccent ?? null,
    notionDatabase: wanted.notionDatabase ?? profile?.notionDatabase ?? notion.defaultDatabase?.id ?? null,
    voiceMap: over(catalog.voiceMap, profile?.voices ?? NO_VOICE_MAP),
    profile: profile?.name ?? DEFAULT_PROFILE,
  });
};
