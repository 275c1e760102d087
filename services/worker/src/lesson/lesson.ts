import type { Block } from './blocks.ts';
import { checkExercises } from './check-exercises.ts';
import { checkSections } from './check-sections.ts';
import { openEnvelope } from './envelope.ts';
import { collectFindings, type Finding, type Report } from './findings.ts';
import { type LessonMeta, readFrontMatter } from './front-matter.ts';
import { scanBody } from './scan-body.ts';
import { MAX_CHARACTERS, MAX_LINES, toLines } from './source-lines.ts';
import { noStudyText, readStudyText, type StudyText } from './study-text.ts';
import type { Plain } from './yaml.ts';

export type Lesson = {
  /** All front matter keys as written. */
  readonly frontMatter: Readonly<Record<string, Plain>>;
  readonly meta: LessonMeta;
  readonly body: readonly Block[];
  readonly studyText: StudyText;
};

export type ParsedLesson = {
  /** No errors; in strict mode no warnings either. */
  readonly ok: boolean;
  /** By line. */
  readonly findings: readonly Finding[];
  /** Null when there is no front matter to go by. */
  readonly lesson: Lesson | null;
};

/** Reads a lesson file. Never throws and takes bounded time, whatever the text. */
export const parseLesson = (
  source: string,
  { strict = false }: { readonly strict?: boolean } = {},
): ParsedLesson => {
  const { report, all } = collectFindings(strict);
  const lesson = read(source, report);
  const findings = all();
  return { ok: findings.every(({ severity }) => severity !== 'error'), findings, lesson };
};

const read = (source: string, report: Report): Lesson | null => {
  const lines = toLines(source);
  if (!lines) {
    report(
      'LESSON_TOO_LARGE',
      1,
      `The lesson is too large: at most ${MAX_CHARACTERS} characters and ${MAX_LINES} lines are possible. Split it into several lessons.`,
    );
    return null;
  }
  const inside = openEnvelope(lines, report);
  if (!inside) return null;
  const { frontMatter, body } = readFrontMatter(inside, report);
  const { blocks, study } = scanBody(body, report);
  const lastLine = inside.at(-1)?.number ?? 1;
  const sections = checkSections(blocks, lastLine, report);
  checkExercises(blocks, sections, lastLine, report);

  const names = {
    labels: frontMatter?.meta.speakerLabels ?? [],
    profileIds: frontMatter?.meta.speakerProfiles.map(({ id }) => id) ?? [],
  };
  if (!study)
    report(
      'STUDY_TEXT_MISSING',
      sections.get(2) ?? lastLine,
      'There is no study text. Put the text to be spoken between a line :::study-text and a line :::.',
    );
  const studyText = study ? readStudyText(study, names, report) : noStudyText(names);
  return frontMatter && { frontMatter: frontMatter.raw, meta: frontMatter.meta, body: blocks, studyText };
};
