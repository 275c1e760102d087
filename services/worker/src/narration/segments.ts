/** A line of the study text as the lesson parser reads it; `speaker` is null when the line names none. */
export type SpokenLine = { readonly speaker: string | null; readonly text: string; readonly line: number };

/** Something one speaker says in one go: plain words, within the limit, with the lesson line it comes from. */
export type Segment = { readonly speaker: string; readonly text: string; readonly line: number };

/** What names the speakers of a lesson: front matter labels, and the ids of its profiles, in their order. */
export type SpeakerNames = { readonly labels: readonly string[]; readonly profileIds: readonly string[] };

export const NARRATOR = 'Narrator';

/**
 * Longest segment, in code points. One synthesis call takes about 2 s for this much offline, so that a
 * cancelled job never waits long for one, and it stays within what every provider accepts in one request.
 */
export const MAX_CODE_POINTS = 1_000;

/** Lines to segments: every line gets a speaker, loses its markup, and is cut when longer than the limit. */
export const toSegments = (
  lines: readonly SpokenLine[],
  names: SpeakerNames,
  maxCodePoints = MAX_CODE_POINTS,
): Segment[] => {
  const spelling = new Map(names.labels.map((label) => [label.toLowerCase(), label]));
  const canonical = (name: string) => {
    const known = spelling.get(name.toLowerCase());
    if (known !== undefined) return known;
    spelling.set(name.toLowerCase(), name);
    return name;
  };
  let current = firstSpeaker(names);
  return lines.flatMap(({ speaker, text, line }) => {
    if (speaker !== null) current = canonical(speaker);
    return splitAtSentences(cleanForSpeech(text), maxCodePoints)
      .filter(isSpoken)
      .map((part) => ({ speaker: current, text: part, line }));
  });
};

/** Who needs a voice, in order: those who speak, then the other labels; the narrator only when needed. */
export const speakersOf = (segments: readonly Segment[], names: SpeakerNames): string[] => {
  const speaking = new Set(segments.map((segment) => segment.speaker));
  const silent = names.labels.filter((label) => label !== NARRATOR);
  const all = [...new Set([...speaking, ...silent])];
  return all.length > 0 ? all : [firstSpeaker(names)];
};

const firstSpeaker = ({ labels, profileIds }: SpeakerNames): string =>
  labels.find((label) => label !== NARRATOR) ?? labels[0] ?? profileIds[0] ?? NARRATOR;

const isSpoken = (text: string) => /[\p{L}\p{N}]/u.test(text);

/** What is removed or rewritten, in order. Every pattern is linear: no repeat can give back what it took. */
const CLEANING: readonly (readonly [RegExp, string])[] = [
  [/^[ \t>]*#{1,6}[ \t]+/gm, ''],
  [/^[ \t>]*(?:[-*+•]|\d{1,3}[.)])[ \t]+/gm, ''],
  [/!?\[([^[\]]*)\]\([^()]*\)/g, '$1'], // links and images keep their text
  [/<[/!?]?[a-z-][^<>]*>/gi, ' '],
  [/&nbsp;/g, ' '],
  [/&amp;/g, '&'],
  [/\\([!-/:-@[-`{-~])/g, '$1'],
  [/\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|[\u200d\u20e3\ufe0f]/gu, ' '],
  [/_{3,}|(?<=[\p{L}\p{N}])__(?=[\p{L}\p{N}])|(?<![^\s(])__(?![^\s).,;:!?])/gu, ' … '], // a gap to fill in
  [/(?<=[\p{L}\p{N}])_(?=[\p{L}\p{N}])/gu, ' '],
  [/[*_`~>#]/g, ''],
  [/\[/g, '('], // a speech model may read [laughs] as a direction
  [/\]/g, ')'],
  [/[\p{Cc}\ufffd\s]+/gu, ' '],
];

/** Markdown to plain words on one line. A gap such as `____` becomes an ellipsis, which is read as a pause. */
export const cleanForSpeech = (text: string): string =>
  CLEANING.reduce((rest, [pattern, by]) => rest.replace(pattern, by), text.toWellFormed()).trim();

/** Where a long turn may be cut, best first; each pattern finds the first code point after a good cut. */
const BOUNDARIES = [/[.!?…]["'”’)]* (?=\S)/g, /[,;:–—] (?=\S)/g, / (?=\S)/g];

/** Cuts `text` into parts of at most `max` code points, at sentence ends, else clauses, else words. */
export const splitAtSentences = (text: string, max: number): string[] => {
  const points = Array.from(text);
  const parts: string[] = [];
  let from = 0;
  while (points.length - from > max) {
    const window = points.slice(from, from + max + 1).join('');
    const at = lastBoundary(window, max);
    parts.push(
      points
        .slice(from, from + at)
        .join('')
        .trim(),
    );
    from += at;
  }
  return [...parts, points.slice(from).join('').trim()].filter((part) => part !== '');
};

const lastBoundary = (window: string, max: number): number => {
  for (const pattern of BOUNDARIES) {
    const last = [...window.matchAll(pattern)].at(-1);
    if (last) return Array.from(window.slice(0, last.index + last[0].length)).length;
  }
  return max;
};
