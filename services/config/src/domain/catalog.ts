/** Colours of a page's headings, by Notion's names. */
export type Preset = {
  readonly h2: string | null;
  readonly h3: string | null;
  readonly toggleH2: string | null;
};

/** One voice of a narrator; labels are free words, as the provider has them. */
export type Voice = {
  readonly id: string;
  readonly name: string;
  readonly category: string | null;
  readonly previewUrl: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** ISO codes of the languages that the provider says it speaks well. */
  readonly verifiedLanguages: readonly string[];
};

export type Narrator = 'elevenlabs' | 'local';

/** Which speaker gets which voice, each given by id or name. Null: not said. */
export type VoiceMap = {
  /** False: only mapped and default voices are used. */
  readonly auto: boolean | null;
  readonly defaultVoice: string | null;
  readonly speakers: ReadonlyMap<string, string>;
};

export type Student = {
  readonly name: string;
  readonly notionDatabase: string | null;
  readonly preset: string | null;
  readonly voiceAccent: string | null;
  /** Over voices.yml. */
  readonly voices: VoiceMap;
};

export type Catalog = {
  readonly presets: ReadonlyMap<string, Preset>;
  /** ElevenLabs' voices. */
  readonly voices: readonly Voice[];
  readonly localVoices: readonly Voice[];
  readonly voiceMap: VoiceMap;
  /** Sorted by name; always has a `Default`. */
  readonly students: readonly Student[];
};

export const DEFAULT_PROFILE = 'Default';
export const DEFAULT_PRESET = 'b1-default';

export const NO_VOICE_MAP: VoiceMap = { auto: null, defaultVoice: null, speakers: new Map() };

/** What stands in for each part of the catalog that could not be read yet. */
export const FALLBACK: Catalog = {
  presets: new Map([
    [
      DEFAULT_PRESET,
      { h2: 'yellow_background', h3: 'purple_background', toggleH2: 'yellow_background' } satisfies Preset,
    ],
  ]),
  voices: [],
  localVoices: [],
  voiceMap: NO_VOICE_MAP,
  students: [],
};

export const voicesOf = (catalog: Catalog, narrator: Narrator): readonly Voice[] =>
  narrator === 'local' ? catalog.localVoices : catalog.voices;

export const isNamed = (student: Student, name: string): boolean =>
  student.name.toLowerCase() === name.trim().toLowerCase();

/** The student's profile by name in any case, else `Default`. */
export const profileFor = ({ students }: Catalog, student: string): Student | undefined =>
  students.find((profile) => isNamed(profile, student)) ??
  students.find((profile) => isNamed(profile, DEFAULT_PROFILE));

/** Sorts by name and adds the `Default` profile when there is none. */
export const completeStudents = (students: readonly Student[]): readonly Student[] => {
  const fallback = {
    name: DEFAULT_PROFILE,
    notionDatabase: null,
    preset: DEFAULT_PRESET,
    voiceAccent: null,
    voices: NO_VOICE_MAP,
  };
  const hasDefault = students.some((student) => isNamed(student, DEFAULT_PROFILE));
  return [...students, ...(hasDefault ? [] : [fallback])].toSorted((a, b) => byText(a.name, b.name));
};

/** What is readable but cannot have the effect its author wanted. */
export const oddities = ({ presets, students }: Catalog): string[] => [
  ...students.flatMap(({ name, preset }) =>
    preset !== null && !presets.has(preset) && !(name === DEFAULT_PROFILE && preset === DEFAULT_PRESET)
      ? [`student ${name}: colorPreset: there is no preset ${preset}`]
      : [],
  ),
  ...students.flatMap((student, index) =>
    students.slice(0, index).some((earlier) => isNamed(earlier, student.name))
      ? [`student ${student.name}: has more than one profile, the first is used`]
      : [],
  ),
];

/** Order that does not depend on the machine's locale. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
