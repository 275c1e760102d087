import type { VoiceMap } from '../narration/voice.ts';

/** Colours of a page's headings by Notion's names; `toggleMap.h2` is for the toggle directly after an h2. */
export type PresetColours = {
  readonly h2?: string;
  readonly h3?: string;
  readonly toggleMap?: { readonly h2?: string };
};

/** What the job and the lesson say. */
export type SettingsWish = {
  /** From the lesson's front matter. */
  readonly student: string;
  readonly preset: string | null;
  readonly voiceAccent: string | null;
  readonly notionDatabase: string | null;
  readonly mode: string | null;
  /** Whose defaults fill what nothing else says. */
  readonly ownerId: string;
};

/** What a run works with: the wish, filled up from the student's profile and the defaults. */
export type Settings = {
  readonly preset: { readonly name: string; readonly colours: PresetColours } | null;
  readonly voiceAccent: string | null;
  readonly notionDatabase: string | null;
  readonly voiceMap: VoiceMap;
  /** dialogue or monologue; anything else leaves it to the study text. */
  readonly mode: string | null;
  /** Who the owner would have narrate. */
  readonly ttsProvider: string | null;
};

/** Knows presets, voices, students and databases. */
export type Catalog = {
  /** Throws a final RunError `unknown_preset` or `unknown_notion_database` for a wish that cannot be met. */
  readonly resolve: (wish: SettingsWish, signal: AbortSignal) => Promise<Settings>;
};
