import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { genderOfName } from './given-names.ts';
import { NARRATOR } from './segments.ts';
import {
  accentOf,
  findVoice,
  type Gender,
  genderOf,
  readAccentToken,
  type SpeakerProfile,
  type Voice,
  type VoiceMap,
} from './voice.ts';
import { closestTo, type Role, scoreVoice, type Wish } from './voice-score.ts';

// Casting: who speaks with which voice. The same for every narrator, and always the same for the same input.
//   C1. One voice serves one speaker while unused voices remain.
//   C2. Voices named for a speaker are given first, so that no default or score takes one away.
//   C3. A wish that cannot be met gives way, and a warning says what was wanted and what was taken.

export type CastingMode = 'dialogue' | 'monologue';

export type CastingRequest = {
  /** Distinct, in the order they are to be served. */
  readonly speakers: readonly string[];
  readonly profiles: readonly SpeakerProfile[];
  readonly mode: CastingMode;
  readonly voiceMap: VoiceMap;
  /** The run's voice, by id or name; stands in for the voice map's default. */
  readonly voiceId?: string;
  /** `accent`, `accent_gender`, `gender`, or a voice whose accent is meant. */
  readonly accentPreference?: string;
  readonly catalogue: readonly Voice[];
  /** Whether the narrator may know voices that the catalogue does not list. */
  readonly acceptsRawVoiceIds: boolean;
};

export type CastSource = 'profile' | 'voiceMap' | 'default' | 'auto' | 'fallback' | 'reuse';

export type CastEntry = {
  readonly speaker: string;
  readonly voiceId: string;
  readonly voiceName: string;
  readonly gender: string | null;
  readonly accent: string | null;
  readonly useCase: string | null;
  readonly source: CastSource;
  /** Null unless the voice was chosen by score. */
  readonly score: number | null;
};

export type CastWarning =
  | {
      readonly code: 'accent_unmet' | 'gender_unmet';
      readonly speaker: string;
      readonly wanted: string;
      readonly got: string | null;
    }
  | { readonly code: 'voice_unknown' | 'voice_taken'; readonly speaker: string; readonly voice: string }
  | { readonly code: 'voice_shared'; readonly speaker: string; readonly voice: string };

export type Casting = { readonly cast: readonly CastEntry[]; readonly warnings: readonly CastWarning[] };

/** Voices to take, in this order, when neither a name nor a score decides. */
const FALLBACK_NAMES =
  'Liam Sarah George Alice Charlie Matilda Bella River Callum Laura Roger Clyde Harry'.split(' ');

/** What may be sent to a provider as a voice id unseen: it ends up in the path of a URL. */
const RAW_VOICE_ID = /^[A-Za-z0-9_-]{1,64}$/;

export const castVoices = (request: CastingRequest): Outcome<Casting, 'no_voices'> => {
  const catalogue = request.catalogue.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const preference = readPreference(request);
  const genders = guessGenders(request, preference);
  const uses = new Map<string, number>();
  const cast = new Map<string, CastEntry>();
  const warnings: CastWarning[] = [];
  const unknown = new Set<string>();

  const resolve = (speaker: string, token: string | undefined): Voice | undefined => {
    if (!token) return undefined;
    const found = findVoice(catalogue, token);
    if (found) return found;
    if (request.acceptsRawVoiceIds && RAW_VOICE_ID.test(token))
      return { id: token, name: token, category: 'raw', labels: {} };
    if (!unknown.has(token)) warnings.push({ code: 'voice_unknown', speaker, voice: token.slice(0, 80) });
    unknown.add(token);
    return undefined;
  };

  const give = (chosen: CastEntry) => {
    uses.set(chosen.voiceId, (uses.get(chosen.voiceId) ?? 0) + 1);
    cast.set(chosen.speaker, chosen);
  };

  const named = new Map<string, Voice>();
  for (const speaker of request.speakers) {
    const profile = profileOf(speaker, request.profiles);
    const mapped = lookUp(Object.entries(request.voiceMap.speakers), ([name]) => name, speaker)?.[1];
    const fromProfile = resolve(speaker, profile?.voice);
    const voice = fromProfile ?? resolve(speaker, mapped);
    if (!voice) continue;
    named.set(speaker, voice);
    if (uses.has(voice.id)) warnings.push({ code: 'voice_taken', speaker, voice: voice.id });
    else give(entry(speaker, voice, fromProfile ? 'profile' : 'voiceMap'));
  }

  const choose = (speaker: string, profile: SpeakerProfile | undefined): CastEntry | undefined => {
    const usual = resolve(speaker, request.voiceId ?? request.voiceMap.defaultVoice);
    if (usual && !uses.has(usual.id)) return entry(speaker, usual, 'default');

    const wish = wishFor(speaker, profile, preference, genders, request.mode);
    const best = (voices: readonly Voice[], source: CastSource) => {
      const [top] = closestTo(wish, voices)
        .map((voice) => ({ voice, score: scoreVoice(voice, wish) }))
        .sort((a, b) => b.score - a.score); // stable, so ties fall to the lower id
      if (!top) return undefined;
      warnings.push(...unmet(speaker, wish, top.voice));
      return entry(speaker, top.voice, source, top.score);
    };
    const unused = catalogue.filter((voice) => !uses.has(voice.id));
    if (unused.length > 0 && (request.voiceMap.auto || profile)) return best(unused, 'auto');
    const familiar = FALLBACK_NAMES.flatMap((name) => findVoice(unused, name) ?? []);
    const free = familiar[0] ?? unused[0];
    if (free) return entry(speaker, free, 'fallback');

    const fewest = Math.min(...catalogue.map((voice) => uses.get(voice.id) ?? 0));
    const leastUsed = catalogue.filter((voice) => uses.get(voice.id) === fewest);
    const wanted = named.get(speaker) ?? usual;
    const shared = wanted ? entry(speaker, wanted, 'reuse') : best(leastUsed, 'reuse');
    if (shared) warnings.push({ code: 'voice_shared', speaker, voice: shared.voiceId });
    return shared;
  };

  for (const speaker of request.speakers) {
    if (cast.has(speaker)) continue;
    const chosen = choose(speaker, profileOf(speaker, request.profiles));
    if (!chosen) return refuse('no_voices', 'There is no voice to narrate with.', { speaker });
    give(chosen);
  }
  return accept({ cast: request.speakers.flatMap((speaker) => cast.get(speaker) ?? []), warnings });
};

const entry = (
  speaker: string,
  voice: Voice,
  source: CastSource,
  score: number | null = null,
): CastEntry => ({
  speaker,
  voiceId: voice.id,
  voiceName: voice.name,
  gender: voice.labels.gender || null,
  accent: voice.labels.accent || null,
  useCase: voice.labels.use_case || null,
  source,
  score,
});

const lookUp = <T>(items: readonly T[], nameOf: (item: T) => string, name: string): T | undefined =>
  items.find((item) => nameOf(item) === name) ??
  items.find((item) => nameOf(item).toLowerCase() === name.toLowerCase());

const profileOf = (speaker: string, profiles: readonly SpeakerProfile[]) =>
  lookUp(profiles, (profile) => profile.id, speaker);

type Preference = { readonly accent?: string; readonly gender?: Gender; readonly isAsked: boolean };

/** A preferred voice stands for its accent; without any preference the run's voice does, but excludes no one. */
const readPreference = ({ accentPreference, voiceId, catalogue }: CastingRequest): Preference => {
  const like = findVoice(catalogue, accentPreference || voiceId || '');
  if (like) {
    const accent = accentOf(like);
    return { ...(accent && { accent }), isAsked: Boolean(accentPreference) };
  }
  return { ...readAccentToken(accentPreference ?? ''), isAsked: true };
};

const GENDERS: readonly Gender[] = ['male', 'female', 'neutral'];

const profileGender = (profile: SpeakerProfile | undefined): Gender | undefined =>
  GENDERS.find((gender) => gender === profile?.gender?.toLowerCase());

/** A gender for everyone but the narrator: by name, else whichever is rarer so far, so that two differ. */
const guessGenders = (request: CastingRequest, preference: Preference): ReadonlyMap<string, Gender> => {
  const genders = new Map<string, Gender>();
  for (const speaker of request.speakers) {
    const profile = profileOf(speaker, request.profiles);
    const known = profileGender(profile) ?? preference.gender ?? genderOfName(speaker);
    if (known) genders.set(speaker, known);
  }
  const count = (gender: Gender) => [...genders.values()].filter((each) => each === gender).length;
  for (const speaker of request.speakers) {
    if (genders.has(speaker) || speaker === NARRATOR) continue;
    genders.set(speaker, count('female') <= count('male') ? 'female' : 'male');
  }
  return genders;
};

const wishFor = (
  speaker: string,
  profile: SpeakerProfile | undefined,
  preference: Preference,
  genders: ReadonlyMap<string, Gender>,
  mode: CastingMode,
): Wish => {
  const stated = profileGender(profile);
  const accent = profile?.accent ? readAccentToken(profile.accent).accent : undefined;
  return {
    role: roleOf(speaker, profile, mode),
    gender: genders.get(speaker),
    genderIs:
      stated === 'neutral' ? 'guessed' : stated ? 'required' : preference.gender ? 'asked' : 'guessed',
    accent: accent ?? preference.accent,
    accentIsAsked: accent !== undefined || preference.isAsked,
    age: profile?.age?.toLowerCase() ?? (profile?.gender?.toLowerCase() === 'child' ? 'young' : undefined),
    style: profile?.style?.toLowerCase(),
  };
};

const ROLES: readonly Role[] = ['narrator', 'teacher', 'student', 'system'];

const roleOf = (speaker: string, profile: SpeakerProfile | undefined, mode: CastingMode): Role => {
  const role = ROLES.find((each) => each === profile?.role?.toLowerCase());
  if (role) return role;
  if (speaker === NARRATOR) return 'narrator';
  if (/teacher/i.test(speaker)) return 'teacher';
  return mode === 'monologue' ? 'narrator' : 'student';
};

const unmet = (speaker: string, wish: Wish, voice: Voice): CastWarning[] => {
  const warnings: CastWarning[] = [];
  const accent = accentOf(voice);
  if (wish.accent && wish.accentIsAsked && accent !== wish.accent)
    warnings.push({ code: 'accent_unmet', speaker, wanted: wish.accent, got: accent ?? null });
  const gender = genderOf(voice);
  if (wish.gender && wish.genderIs !== 'guessed' && gender !== wish.gender)
    warnings.push({ code: 'gender_unmet', speaker, wanted: wish.gender, got: gender ?? null });
  return warnings;
};
