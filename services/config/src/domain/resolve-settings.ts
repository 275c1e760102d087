import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import {
  type Catalog,
  DEFAULT_PROFILE,
  isNamed,
  NO_VOICE_MAP,
  type Preset,
  profileFor,
  type VoiceMap,
} from './catalog.ts';
import { isKnownDatabase, type NotionSettings } from './notion-databases.ts';
import type { OwnerDefaults } from './owner-settings.ts';

/** What the job and the lesson say; null: nothing. */
export type Wanted = {
  readonly student: string;
  readonly preset: string | null;
  readonly voiceAccent: string | null;
  readonly notionDatabase: string | null;
  readonly mode: string | null;
};

/** What the owner of the job adds. */
export type OwnerWish = OwnerDefaults & {
  /** With a token of their own they publish into databases that only Notion knows. */
  readonly hasNotionToken: boolean;
};

export type Settings = {
  readonly preset: (Preset & { readonly name: string }) | null;
  readonly voiceAccent: string | null;
  readonly notionDatabase: string | null;
  readonly mode: string;
  /** The owner's wish; null: none. */
  readonly ttsProvider: string | null;
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

/** A page's or database's id as Notion writes it, with or without dashes. */
const NOTION_ID = /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i;

/** What speaks for a job that says nothing. */
export type Background = {
  readonly catalog: Catalog;
  readonly notion: NotionSettings;
  readonly owner: OwnerWish | null;
  readonly defaultMode: string;
};

/**
 * Fills what a job leaves open: from its student's profile, then from its owner's defaults, then from the `Default`
 * profile and the environment. Only what the job itself names can be refused: a preset that a profile or an owner once
 * chose and that does not exist (any more) is passed over.
 */
export const resolveSettings = (
  { catalog, notion, owner, defaultMode }: Background,
  wanted: Wanted,
): Outcome<Settings, SettingsRefusal> => {
  if (wanted.preset !== null && !catalog.presets.has(wanted.preset))
    return refuse('unknown_preset', 'There is no preset of that name.', { preset: wanted.preset });
  const mayBeKnownToNotion = owner?.hasNotionToken && NOTION_ID.test(wanted.notionDatabase ?? '');
  if (
    wanted.notionDatabase !== null &&
    !mayBeKnownToNotion &&
    !isKnownDatabase(wanted.notionDatabase, catalog.students, notion)
  )
    return refuse('unknown_notion_database', 'There is no Notion database of that id.', {
      notionDatabase: wanted.notionDatabase,
    });

  const profile = profileFor(catalog, wanted.student);
  const isDefault = profile !== undefined && isNamed(profile, DEFAULT_PROFILE);
  const student = isDefault ? undefined : profile;
  const fallback = isDefault ? profile : undefined;
  const names =
    wanted.preset !== null ? [wanted.preset] : [student?.preset, owner?.defaultPreset, fallback?.preset];
  const name = names.find((each) => each != null && catalog.presets.has(each)) ?? '';
  const preset = catalog.presets.get(name);
  return accept({
    preset: preset ? { name, ...preset } : null,
    voiceAccent:
      wanted.voiceAccent ??
      student?.voiceAccent ??
      owner?.defaultVoiceAccent ??
      fallback?.voiceAccent ??
      null,
    notionDatabase: wanted.notionDatabase ?? profile?.notionDatabase ?? notion.defaultDatabase?.id ?? null,
    mode: wanted.mode ?? owner?.defaultTtsMode ?? defaultMode,
    ttsProvider: owner?.ttsProvider ?? null,
    voiceMap: over(catalog.voiceMap, profile?.voices ?? NO_VOICE_MAP),
    profile: profile?.name ?? DEFAULT_PROFILE,
  });
};
