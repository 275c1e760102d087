import { MODES, UPLOAD_OPTIONS } from '@esl-pipeline/contracts/http/submit-job';
import { byText, type Catalog, type Narrator, type Voice, voicesOf } from './catalog.ts';
import { type NotionDatabase, type NotionSettings, notionDatabases } from './notion-databases.ts';

export type VoiceOption = {
  readonly id: string;
  readonly name: string;
  readonly category: string | null;
  /** `<accent>_<gender>`, or only the accent, in lower snake case. */
  readonly accent: string | null;
  readonly gender: string | null;
};

/** What a submission form may offer. */
export type JobOptions = {
  readonly presets: readonly string[];
  readonly voiceAccents: readonly string[];
  readonly voices: readonly VoiceOption[];
  readonly notionDatabases: readonly NotionDatabase[];
  readonly uploadOptions: readonly string[];
  readonly modes: readonly string[];
};

/** Casting takes an accent as a wish it may relax, so these are safe to offer while no voice is known. */
const FALLBACK_ACCENTS = ['american_female', 'british_male'];

const snake = (words: string | undefined): string =>
  (words ?? '')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, '_')
    .replaceAll(/^_|_$/g, '');

const voiceOption = ({ id, name, category, labels }: Voice): VoiceOption => {
  const accent = snake(labels.accent);
  const gender = snake(labels.gender);
  return {
    id,
    name,
    category,
    accent: accent && gender ? `${accent}_${gender}` : accent || null,
    gender: gender || null,
  };
};

/** For whoever is narrated by `narrator` and publishes as `notion` says. */
export const jobOptions = (catalog: Catalog, notion: NotionSettings, narrator: Narrator): JobOptions => {
  const voices = voicesOf(catalog, narrator)
    .map(voiceOption)
    .toSorted((a, b) => byText(a.name, b.name) || byText(a.id, b.id));
  const accents = [...new Set(voices.flatMap(({ accent }) => accent ?? []))];
  return {
    presets: [...catalog.presets.keys()].toSorted(byText),
    voiceAccents: accents.length > 0 ? accents : FALLBACK_ACCENTS,
    voices,
    notionDatabases: notionDatabases(catalog.students, notion),
    uploadOptions: UPLOAD_OPTIONS,
    modes: MODES,
  };
};
