export type Gender = 'male' | 'female' | 'neutral';

/** One voice of a narrator's catalogue; labels are free words, as the provider has them. */
export type Voice = {
  readonly id: string;
  readonly name: string;
  readonly category: string;
  readonly labels: {
    readonly gender?: string;
    readonly accent?: string;
    readonly age?: string;
    readonly use_case?: string;
    readonly descriptive?: string;
    readonly language?: string;
  };
};

/** What the front matter says about one speaker. Unknown words are harmless: they match no voice. */
export type SpeakerProfile = {
  readonly id: string;
  readonly role?: string;
  readonly gender?: string;
  readonly age?: string;
  readonly accent?: string;
  readonly style?: string;
  /** Voice id, or a name in the catalogue. */
  readonly voice?: string;
};

/** voices.yml: which speaker gets which voice, each given by id or name. */
export type VoiceMap = {
  /** False: speakers without a profile get only mapped and default voices. */
  readonly auto: boolean;
  readonly defaultVoice?: string;
  readonly speakers: Readonly<Record<string, string>>;
};

const plain = (word: string | undefined) =>
  word
    ?.trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, '_') || undefined;

export const genderOf = (voice: Voice): Gender | undefined => {
  const gender = plain(voice.labels.gender);
  if (gender === 'male' || gender === 'female' || gender === 'neutral') return gender;
  return gender === 'non_binary' ? 'neutral' : undefined;
};

export const accentOf = (voice: Voice): string | undefined => plain(voice.labels.accent);

/** The id, else the name in any case. */
export const findVoice = (catalogue: readonly Voice[], token: string): Voice | undefined =>
  catalogue.find((voice) => voice.id === token) ??
  catalogue.find((voice) => voice.name.toLowerCase() === token.trim().toLowerCase());

/** Accents a learner would take for one another. */
const ACCENT_FAMILIES = [
  ['british', 'english', 'scottish', 'irish', 'welsh'],
  ['american', 'canadian'],
  ['australian', 'new_zealand'],
];

export const isNearAccent = (one: string, other: string): boolean =>
  one === other || ACCENT_FAMILIES.some((family) => family.includes(one) && family.includes(other));

/** `american_female`, `american` or `female`, as forms and settings write it. */
export const readAccentToken = (token: string): { accent?: string; gender?: Gender } => {
  const word = plain(token);
  if (word === undefined) return {};
  const parts = /^(?:(.+)_)?(male|female|neutral)$/.exec(word);
  if (!parts) return { accent: word };
  const [, accent, gender] = parts;
  return { ...(accent && { accent }), gender: gender as Gender };
};
