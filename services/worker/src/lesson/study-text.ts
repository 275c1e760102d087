import { quote, type Report } from './findings.ts';
import { isBlank, type SourceLine } from './source-lines.ts';

/** A line of the study text. `speaker` is null when the line names none: then the last speaker goes on. */
export type Turn = { readonly speaker: string | null; readonly text: string; readonly line: number };

export type StudyText = {
  readonly kind: 'dialogue' | 'monologue';
  readonly turns: readonly Turn[];
  /** Who needs a voice: those who speak in order, then the other labels. Never empty. */
  readonly speakers: readonly string[];
  /** Free words after `:::study-text`, such as `Transcript`; never spoken. */
  readonly label?: string;
  /** Line of the opener; 0 when the lesson has no study text. */
  readonly line: number;
  /** Blank-line separated groups of turns. */
  readonly paragraphs: number;
};

export type SpeakerNames = { readonly labels: readonly string[]; readonly profileIds: readonly string[] };

/** What stands between the study text's opener and closer, other directives left out. */
export type StudySource = {
  readonly line: number;
  readonly label?: string;
  readonly lines: readonly SourceLine[];
};

const NARRATOR = 'Narrator';

/** A lesson without study text, so that readers need no special case; STUDY_TEXT_MISSING says so. */
export const noStudyText = (names: SpeakerNames): StudyText => ({
  kind: 'monologue',
  turns: [],
  speakers: speakersOf([], names),
  line: 0,
  paragraphs: 0,
});

/** Reads the study text. The one place that decides what is a speaker, for findings, page and speech alike. */
export const readStudyText = (source: StudySource, names: SpeakerNames, report: Report): StudyText => {
  const lines = withoutLabel(source);
  const spoken = lines.filter((line) => !isBlank(line));
  const allowed = names.labels.some((label) => label !== NARRATOR) ? names.labels : null;
  const isSpeaker = speakerTest(spoken, names.labels, allowed !== null);
  const spelling = new Map(names.labels.map((label) => [label.toLowerCase(), label]));

  const turns = spoken.map(({ text, number }): Turn => {
    const prefix = readPrefix(text, names.labels);
    if (!prefix || !isSpeaker(prefix)) return { speaker: null, text: text.trim(), line: number };
    const key = prefix.name.toLowerCase();
    const speaker = spelling.get(key) ?? prefix.name;
    spelling.set(key, speaker);
    return { speaker, text: prefix.text, line: number };
  });
  const kind = turns.filter(({ speaker }) => speaker !== null).length >= 2 ? 'dialogue' : 'monologue';
  const paragraphs = lines.filter(
    (line, index) => !isBlank(line) && isBlank(lines[index - 1] ?? { text: '', number: 0 }),
  ).length;

  if (turns.length === 0)
    report(
      'STUDY_TEXT_EMPTY',
      source.line,
      'The study text is empty. Write the text to be spoken before its closing :::.',
    );
  else if (kind === 'monologue' && paragraphs < 3 && turns.length < 10)
    report(
      'STUDY_TEXT_SHORT',
      source.line,
      'The study text is short. Aim for at least three paragraphs or ten lines.',
    );
  if (allowed) checkSpeakers(turns, allowed, report);

  return {
    kind,
    turns,
    speakers: speakersOf(turns, names),
    ...(source.label ? { label: source.label } : {}),
    line: source.line,
    paragraphs,
  };
};

type Prefix = { readonly name: string; readonly marked: boolean; readonly text: string };

const NAME = '([\\p{Script=Latin}\\p{Script=Cyrillic}\\p{M}0-9 _.\\-]{1,32})';
const PLAIN = new RegExp(`^\\s*${NAME}:\\s+(\\S.*)$`, 'u');
const MARKED = new RegExp(
  `^\\s*(?:\\[${NAME}\\]:|\\*\\*${NAME}:\\*\\*|\\*\\*${NAME}\\*\\*:)\\s+(\\S.*)$`,
  'u',
);

/**
 * `Name: text`, `[Name]: text`, `**Name**: text` or `**Name:** text`. The space after the colon keeps clock times out
 * (`We met at 10:30`). A label of the lesson may hold characters that other names may not, such as an apostrophe.
 */
const readPrefix = (text: string, labels: readonly string[]): Prefix | null => {
  const marked = MARKED.exec(text);
  const plain = marked ? null : PLAIN.exec(text);
  const name = (marked?.[1] ?? marked?.[2] ?? marked?.[3] ?? plain?.[1])?.trim();
  if (name) return { name, marked: marked !== null, text: (marked?.[4] ?? plain?.[2] ?? '').trim() };
  const trimmed = text.trimStart();
  for (const label of labels)
    for (const form of [`${label}:`, `[${label}]:`, `**${label}:**`, `**${label}**:`]) {
      const rest = trimmed.slice(form.length);
      if (trimmed.slice(0, form.length).toLowerCase() === form.toLowerCase() && /^\s+\S/.test(rest))
        return { name: label, marked: true, text: rest.trim() };
    }
  return null;
};

/**
 * Without enforced labels a plain `Something: text` is only a speaker when it comes again or is a label; what is
 * bracketed or bold always is one.
 */
const speakerTest = (
  lines: readonly SourceLine[],
  labels: readonly string[],
  enforced: boolean,
): ((prefix: Prefix) => boolean) => {
  if (enforced) return () => true;
  const count = new Map<string, number>(labels.map((label) => [label.toLowerCase(), 2]));
  for (const { text } of lines) {
    const prefix = readPrefix(text, labels);
    const key = prefix?.name.toLowerCase() ?? '';
    if (prefix) count.set(key, (count.get(key) ?? 0) + (prefix.marked ? 2 : 1));
  }
  return ({ name, marked }) => marked || (count.get(name.toLowerCase()) ?? 0) >= 2;
};

const checkSpeakers = (turns: readonly Turn[], allowed: readonly string[], report: Report): void => {
  const known = new Set(allowed.map((label) => label.toLowerCase()));
  for (const { speaker, line } of turns)
    if (speaker !== null && !known.has(speaker.toLowerCase()))
      report(
        'SPEAKER_UNKNOWN',
        line,
        `${quote(speaker)} is not among the speaker_labels (${allowed.join(', ')}). Use one of these, or add the name there.`,
      );
  if (turns[0]?.speaker === null)
    report(
      'SPEAKER_EXPECTED',
      turns[0].line,
      `Nobody speaks this line yet. Begin the study text with a speaker, such as ${allowed[0] ?? 'Ana'}: Hello!`,
    );
};

/** The lines without a first one that only repeats the label. */
const withoutLabel = ({ lines, label }: StudySource): readonly SourceLine[] => {
  const at = lines.findIndex((line) => !isBlank(line));
  const bare = (text: string) => text.replace(/[*#:]/g, '').trim().toLowerCase();
  return label && bare(lines[at]?.text ?? '') === bare(label)
    ? lines.filter((_, index) => index !== at)
    : lines;
};

/** In order: who speaks, then the other labels; the narrator only when it speaks or nobody else does. */
const speakersOf = (turns: readonly Turn[], { labels, profileIds }: SpeakerNames): string[] => {
  const others = labels.filter((label) => label !== NARRATOR);
  const before = others[0] ?? labels[0] ?? profileIds[0] ?? NARRATOR;
  const speaking = turns.flatMap(({ speaker }, index) => speaker ?? (index === 0 ? before : []));
  const all = [...new Set([...speaking, ...others])];
  return all.length > 0 ? all : [before];
};
