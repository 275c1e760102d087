import { accentOf, type Gender, genderOf, isNearAccent, type Voice } from './voice.ts';

export type Role = 'narrator' | 'teacher' | 'student' | 'system';

/** What a speaker should sound like, and how firmly. */
export type Wish = {
  readonly role: Role;
  readonly gender: Gender | undefined;
  /** `required` by the lesson's profile, `asked` for by the teacher, or only `guessed` from the name. */
  readonly genderIs: 'required' | 'asked' | 'guessed';
  readonly accent: string | undefined;
  /** False when the accent merely follows from a chosen voice: it then counts, but excludes no one. */
  readonly accentIsAsked: boolean;
  readonly age: string | undefined;
  readonly style: string | undefined;
};

/** Use cases that suit a role, besides those that score by themselves. */
const ROLE_HINTS: Record<Role, readonly string[]> = {
  narrator: ['narration', 'narrative_story', 'informative_educational', 'audiobook'],
  teacher: ['informative_educational', 'conversational', 'conversation'],
  student: ['conversational', 'conversation', 'social_media'],
  system: ['informative_educational', 'news'],
};

/** Descriptions near to a style; the catalogues' own words. */
const STYLE_HINTS: Readonly<Record<string, readonly string[]>> = {
  calm: ['soft', 'gentle', 'mature', 'relaxed', 'warm', 'chill'],
  energetic: ['hyped', 'upbeat', 'excited', 'bright', 'confident'],
  formal: ['professional', 'crisp', 'classy', 'mature'],
  friendly: ['casual', 'chill', 'warm', 'cute', 'upbeat'],
  serious: ['intense', 'rough', 'formal', 'mature'],
};

/** How well a voice meets a wish; higher is better, below zero is possible. */
export const scoreVoice = (voice: Voice, wish: Wish): number => {
  const useCase = voice.labels.use_case?.toLowerCase() ?? '';
  return (
    genderScore(voice, wish) +
    matchScore(voice.labels.age?.toLowerCase(), wish.age) +
    matchScore(accentOf(voice), wish.accent) +
    (accentOf(voice) ? 3 : 0) +
    useCaseScore(useCase, wish.role) +
    (ROLE_HINTS[wish.role].includes(useCase) ? 10 : 0) +
    styleScore(voice.labels.descriptive?.toLowerCase(), wish.style)
  );
};

const genderScore = (voice: Voice, { gender }: Wish): number => {
  if (gender === undefined) return 0;
  const has = genderOf(voice);
  if (has === undefined) return 5;
  return has === gender ? 40 : -15;
};

const matchScore = (has: string | undefined, wanted: string | undefined): number => {
  if (wanted === undefined || has === undefined) return 0;
  return has === wanted ? 20 : -5;
};

const useCaseScore = (useCase: string, role: Role): number => {
  const is = (word: string) => useCase.includes(word);
  if (role === 'narrator') return is('narrati') ? 30 : is('news') ? 10 : 0;
  if (role === 'teacher') return is('narrati') || is('news') || is('conversation') ? 20 : 0;
  if (role === 'student') return is('conversation') ? 10 : is('social') ? 5 : 0;
  return 0;
};

const styleScore = (descriptive: string | undefined, style: string | undefined): number => {
  if (!descriptive || !style) return 0;
  if (descriptive === style) return 15;
  if (descriptive.includes(style)) return 10;
  const hints = Object.hasOwn(STYLE_HINTS, style) ? STYLE_HINTS[style] : undefined;
  return hints?.includes(descriptive) ? 8 : 0;
};

/**
 * The voices that meet the wish best, giving way one step at a time. What the teacher asked for yields accent
 * last; a gender the lesson's profile requires yields after the accent, and to neutral voices before all others.
 */
export const closestTo = (wish: Wish, voices: readonly Voice[]): readonly Voice[] => {
  const gender = (voice: Voice) => wish.gender === undefined || genderOf(voice) === wish.gender;
  const neutral = (voice: Voice) => genderOf(voice) === 'neutral';
  const accent = (voice: Voice) => accentOf(voice) === wish.accent;
  const near = (voice: Voice) => isNearAccent(accentOf(voice) ?? '', wish.accent ?? '');
  const both =
    (...tests: ((voice: Voice) => boolean)[]) =>
    (voice: Voice) =>
      tests.every((test) => test(voice));
  const genderSteps = wish.genderIs === 'guessed' ? [] : [gender, neutral];
  const steps =
    wish.accent === undefined || !wish.accentIsAsked
      ? genderSteps
      : wish.genderIs === 'required'
        ? [both(accent, gender), both(near, gender), gender, both(accent, neutral), neutral, accent]
        : [both(accent, gender), accent, both(near, gender), near, gender];
  for (const step of steps) {
    const matching = voices.filter(step);
    if (matching.length > 0) return matching;
  }
  return voices;
};
