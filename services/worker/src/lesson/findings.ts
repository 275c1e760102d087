export type Severity = 'error' | 'warning';

/** Every finding a lesson can have. docs/lesson-format.md explains each one. */
export const FINDING_SEVERITY = {
  LESSON_TOO_LARGE: 'error',
  ENVELOPE_MISSING: 'error', // a warning when the lesson merely lacks its fence
  ENVELOPE_BROKEN: 'error',
  ENVELOPE_UNCLOSED: 'error',
  ENVELOPE_TRAILING: 'warning',
  FRONT_MATTER_MISSING: 'error',
  FRONT_MATTER_UNCLOSED: 'error',
  FRONT_MATTER_LANGUAGE: 'error',
  FRONT_MATTER_YAML: 'error',
  FRONT_MATTER_FIELD: 'error',
  INPUT_TYPE: 'warning',
  PROFILE_VALUE: 'warning',
  PROFILE_UNLABELLED: 'warning',
  SECTION_COUNT: 'error',
  SECTION_ORDER: 'error',
  DIRECTIVE_UNKNOWN: 'warning',
  DIRECTIVE_MALFORMED: 'warning',
  DIRECTIVE_UNOPENED: 'warning',
  NESTING_TOO_DEEP: 'error',
  MARKUP_TOO_DENSE: 'error',
  TOGGLE_MISSING: 'error',
  TOGGLE_LABEL: 'warning',
  TOGGLE_UNCLOSED: 'error',
  STUDY_TEXT_MISSING: 'error',
  STUDY_TEXT_INDENTED: 'error',
  STUDY_TEXT_MALFORMED: 'error',
  STUDY_TEXT_UNCLOSED: 'error',
  STUDY_TEXT_EMPTY: 'error',
  STUDY_TEXT_REPEATED: 'warning',
  STUDY_TEXT_NESTED: 'warning',
  STUDY_TEXT_SHORT: 'warning',
  SPEAKER_UNKNOWN: 'error',
  SPEAKER_EXPECTED: 'error',
  COLUMNS_UNCLOSED: 'error',
  COLUMNS_EMPTY: 'error',
  COLUMNS_TEXT: 'warning',
  COLUMN_EMPTY: 'error',
  COLUMN_MISPLACED: 'warning',
  CALLOUT_UNCLOSED: 'error',
  CALLOUT_ICON: 'error',
  CALLOUT_EMPTY: 'error',
  SYNCED_UNCLOSED: 'error',
  SYNCED_EMPTY: 'error',
  MEDIA_URL: 'error',
  TABLE_RAGGED: 'error',
  TABLE_EMPTY: 'error',
  NESTED_CODE: 'warning',
  HTML_IGNORED: 'warning',
  PRACTICE_MISSING: 'warning',
  PRACTICE_COUNT: 'warning',
  COMPREHENSION_COUNT: 'warning',
} as const satisfies Record<string, Severity>;

export type FindingCode = keyof typeof FINDING_SEVERITY;

export type Finding = {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** Plain sentences for a teacher: what is wrong, and what to do. */
  readonly message: string;
  /** 1-based line of the file as it was sent, fence and front matter included. */
  readonly line: number;
  /** Where in the front matter, as in `speaker_profiles[0].role`. */
  readonly path?: string;
};

export type Report = (
  code: FindingCode,
  line: number,
  message: string,
  more?: { readonly path?: string; readonly severity?: Severity },
) => void;

/** Findings of one code that are listed; the last one says how many more there are. */
export const MAX_PER_CODE = 20;

/** Findings of a lesson that are listed, as proto/esl/jobs/v1 promises; errors go before warnings when there are more. */
export const MAX_FINDINGS = 200;

/** Takes findings in any order and gives them back by line. `strict` makes every warning an error. */
export const collectFindings = (strict: boolean) => {
  const found: Finding[] = [];
  const counts = new Map<FindingCode, number>();

  const report: Report = (code, line, message, { path, severity = FINDING_SEVERITY[code] } = {}) => {
    const count = (counts.get(code) ?? 0) + 1;
    counts.set(code, count);
    if (count > MAX_PER_CODE) return;
    found.push({ code, severity: strict ? 'error' : severity, message, line, ...(path ? { path } : {}) });
  };

  const all = (): Finding[] => {
    const last = new Map(found.map((finding, index) => [finding.code, index]));
    const listed = found
      .map((finding, index) => {
        const more = (counts.get(finding.code) ?? 0) - MAX_PER_CODE;
        return more > 0 && last.get(finding.code) === index
          ? { ...finding, message: `${finding.message} There are ${more} more like this.` }
          : finding;
      })
      .sort((a, b) => rank(a) - rank(b));
    return listed.slice(0, MAX_FINDINGS).sort((a, b) => a.line - b.line);
  };

  return { report, all };
};

const rank = ({ severity }: Finding): number => (severity === 'error' ? 0 : 1);

/** The start of a teacher's text, short enough for a message. */
export const quote = (text: string): string => {
  const points = Array.from(text.slice(0, 200).trim());
  return `“${points.length > 60 ? `${points.slice(0, 59).join('')}…` : points.join('')}”`;
};
