import { readFileSync } from 'node:fs';
import type { FindingCode, Severity } from './findings.ts';
import { MAX_CHARACTERS } from './source-lines.ts';

/** For specs: lessons that have exactly the findings they are named for. `◀` marks the line of the finding. */
export type FindingExample = {
  readonly code: FindingCode;
  readonly what: string;
  readonly source: string;
  readonly severity?: Severity;
  readonly path?: string;
  /** Findings that cannot but come along. */
  readonly also?: readonly FindingCode[];
};

export const sampleLesson = (name: string): string =>
  readFileSync(new URL(`../../../../docs/lessons/${name}.md`, import.meta.url), 'utf8');

const harbour = sampleLesson('morning-at-the-harbour');
const parcel = sampleLesson('the-lost-parcel');

/** A good lesson with one passage replaced, which must be there. */
export const parcelWith = (...changes: readonly (readonly [was: string, is: string])[]): string =>
  changes.reduce((text, [was, is]) => {
    if (!text.includes(was)) throw new Error(`the sample has no ${was}`);
    return text.replace(was, () => is);
  }, parcel);

/** The good lesson with these lines in its section 4. */
export const parcelWithText = (text: string): string =>
  parcelWith(['Use *so* and *because* to join two ideas.\n', `${text}\n`]);

const unfenced = parcel.replace('```markdown\n', '').replace(/```\s*$/, '');
const nested = (count: number, mark = '') =>
  `${':::toggle-heading T\n'.repeat(8)}:::toggle-heading T${mark}\n${':::toggle-heading T\n'.repeat(count - 9)}text\n${':::\n'.repeat(count)}`;

export const FINDING_EXAMPLES: readonly FindingExample[] = [
  { code: 'LESSON_TOO_LARGE', what: 'too many characters', source: `◀${'x'.repeat(MAX_CHARACTERS + 1)}` },
  { code: 'LESSON_TOO_LARGE', what: 'too many lines', source: `◀${'\n'.repeat(5_000)}` },
  { code: 'ENVELOPE_MISSING', what: 'no lesson at all', source: '\nHello, teacher.◀\n' },
  { code: 'ENVELOPE_MISSING', what: 'an empty file', source: '◀' },
  {
    code: 'ENVELOPE_MISSING',
    what: 'a lesson without its fence',
    source: unfenced.replace('---', '---◀'),
    severity: 'warning',
  },
  {
    code: 'ENVELOPE_BROKEN',
    what: 'a code sample in a lesson fenced with three backticks',
    source: parcelWithText('```js◀\nlet a;\n```'),
    also: ['NESTED_CODE'],
  },
  {
    code: 'ENVELOPE_BROKEN',
    what: 'a code sample without a language',
    source: parcelWithText('```◀\nlet a;\n```'),
    also: ['NESTED_CODE'],
  },
  {
    code: 'ENVELOPE_UNCLOSED',
    what: 'no closing fence',
    source: parcelWith(['```markdown', '```markdown◀'], [':::\n```', ':::\n']),
  },
  {
    code: 'ENVELOPE_TRAILING',
    what: 'a second lesson',
    source: `${parcel}\n${parcel.replace('```', '```◀')}`,
  },
  {
    code: 'FRONT_MATTER_MISSING',
    what: 'a body without front matter',
    source: parcel.replace(/---[\s\S]*---\n## 1.*/, "## 1. This Week's Mission Briefing◀"),
  },
  {
    code: 'FRONT_MATTER_UNCLOSED',
    what: 'no second ---',
    source: parcelWith(['---', '---◀'], ['[Ines, Paul]\n---', '[Ines, Paul]']),
  },
  { code: 'FRONT_MATTER_LANGUAGE', what: '---js', source: parcelWith(['---', '---js◀']) },
  {
    code: 'FRONT_MATTER_YAML',
    what: 'a colon without quotes',
    source: parcelWith(['"Homework: The Lost Parcel"', 'Homework: The Lost Parcel◀']),
  },
  {
    code: 'FRONT_MATTER_YAML',
    what: 'a tag',
    source: parcelWith(['level: B1', 'level: !!js/function "x"◀']),
  },
  { code: 'FRONT_MATTER_YAML', what: '__proto__', source: parcelWith(['level: B1', '__proto__: {a: 1}◀']) },
  {
    code: 'FRONT_MATTER_YAML',
    what: 'a merge key',
    source: parcelWith(['level: B1', 'properties: &p {a: 1}\n<<: *p◀']),
  },
  {
    code: 'FRONT_MATTER_YAML',
    what: 'the same key twice',
    source: parcelWith(['level: B1', 'level: B1\nlevel: B2◀']),
  },
  {
    code: 'FRONT_MATTER_YAML',
    what: 'a list in place of keys',
    source: parcel.replace(/---\n[\s\S]*?---/, '---◀\n- a\n---'),
  },
  {
    code: 'FRONT_MATTER_FIELD',
    what: 'a missing title',
    source: parcelWith(['---', '---◀'], ['title: "Homework: The Lost Parcel"\n', '']),
    path: 'title',
  },
  {
    code: 'FRONT_MATTER_FIELD',
    what: 'an empty student',
    source: parcelWith(['Mira', '"  "◀']),
    path: 'student',
  },
  {
    code: 'FRONT_MATTER_FIELD',
    what: 'a bare number as level',
    source: parcelWith(['level: B1', 'level: 1◀']),
    path: 'level',
  },
  {
    code: 'FRONT_MATTER_FIELD',
    what: 'two emoji as icon',
    source: parcelWith(['level: B1', 'icon: 🎉🎉◀\nlevel: B1']),
    path: 'icon',
  },
  {
    code: 'FRONT_MATTER_FIELD',
    what: 'a cover that is no web address',
    source: parcelWith(['level: B1', 'cover: javascript:alert(1)◀\nlevel: B1']),
    path: 'cover',
  },
  {
    code: 'FRONT_MATTER_FIELD',
    what: 'an empty label',
    source: parcelWith(['[Ines, Paul]', '\n  - Ines\n  - Paul\n  - ""◀']),
    path: 'speaker_labels[2]',
  },
  {
    code: 'FRONT_MATTER_FIELD',
    what: 'properties that are a list',
    source: parcelWith(['level: B1', 'properties: [a]◀\nlevel: B1']),
    path: 'properties',
  },
  {
    code: 'INPUT_TYPE',
    what: 'an unusual input type',
    source: parcelWith(['generate', 'copied◀']),
    path: 'input_type',
  },
  {
    code: 'PROFILE_VALUE',
    what: 'an unknown role',
    source: parcelWith(['level: B1', 'speaker_profiles:\n  - id: Ines\n    role: boss◀\nlevel: B1']),
    path: 'speaker_profiles[0].role',
  },
  {
    code: 'PROFILE_VALUE',
    what: 'a profile without id',
    source: parcelWith(['level: B1', 'speaker_profiles:\n  - id: Ines\n  - role: student◀\nlevel: B1']),
    path: 'speaker_profiles[1]',
  },
  {
    code: 'PROFILE_VALUE',
    what: 'profiles that are no list',
    source: parcelWith(['level: B1', 'speaker_profiles: Ines◀\nlevel: B1']),
    path: 'speaker_profiles',
  },
  {
    code: 'PROFILE_UNLABELLED',
    what: 'a profile for nobody',
    source: parcelWith(['level: B1', 'speaker_profiles:\n  - id: Ana◀\nlevel: B1']),
    path: 'speaker_profiles[0].id',
  },
  {
    code: 'SECTION_COUNT',
    what: 'a section too many',
    source: parcelWith(
      ["## 1. 🎯 This Week's Mission Briefing", "## 1. This Week's Mission Briefing◀"],
      ['## 2.', '## Extra\n## 2.'],
    ),
    also: ['SECTION_ORDER'],
  },
  {
    code: 'SECTION_ORDER',
    what: 'a heading with other words',
    source: parcelWith(['7. 🧠 Why This Mission Helps You', '7. 🧠 Why It Helps◀']),
  },
  {
    code: 'SECTION_ORDER',
    what: 'a missing section, at the one that follows',
    source: parcelWith(['## 6. ✅ Your Turn: Complete the Mission!\n', ''], ['Helps You', 'Helps You◀']),
    also: ['SECTION_COUNT'],
  },
  {
    code: 'DIRECTIVE_UNKNOWN',
    what: 'a misspelt name',
    source: parcelWithText(':::calout 💡◀\ntext\n:::'),
  },
  { code: 'DIRECTIVE_MALFORMED', what: 'a space before the name', source: parcelWithText('::: toc◀') },
  {
    code: 'DIRECTIVE_MALFORMED',
    what: 'words after :::',
    source: parcelWithText(':::callout 💡\nx\n::: end◀'),
  },
  { code: 'DIRECTIVE_UNOPENED', what: 'a ::: too many', source: parcelWithText(':::◀') },
  { code: 'NESTING_TOO_DEEP', what: 'nine directives', source: parcelWithText(nested(9, '◀')) },
  { code: 'NESTING_TOO_DEEP', what: 'twenty quotes', source: parcelWithText(`${'> '.repeat(20)}x◀`) },
  { code: 'MARKUP_TOO_DENSE', what: 'a thousand stars', source: parcelWithText(`${'**a '.repeat(600)}◀`) },
  {
    code: 'TOGGLE_MISSING',
    what: 'no answer key',
    source: parcelWith(
      [':::toggle-heading Answer Key', ':::toggle-heading Answers'],
      ['Answer Key & Sample Mission', 'Answer Key & Sample Mission◀'],
    ),
  },
  { code: 'TOGGLE_LABEL', what: 'no label', source: parcelWithText(':::toggle-h3◀\nx\n:::') },
  { code: 'TOGGLE_UNCLOSED', what: 'no :::', source: parcelWithText(':::toggle-h3 Hints◀\nx') },
  {
    code: 'STUDY_TEXT_MISSING',
    what: 'no study text',
    source: parcelWith(
      ['The Source', 'The Source◀'],
      [':::study-text Transcript', ':::toggle-heading Transcript'],
    ),
  },
  {
    code: 'STUDY_TEXT_INDENTED',
    what: 'spaces before it',
    source: parcelWith([':::study-text Transcript', '  :::study-text Transcript◀']),
  },
  {
    code: 'STUDY_TEXT_MALFORMED',
    what: 'a colon after the name',
    source: parcelWith([':::study-text Transcript', ':::study-text:◀']),
  },
  {
    code: 'STUDY_TEXT_MALFORMED',
    what: 'the closer after the last words',
    source: parcelWith(['send it today.\n:::', 'send it today. :::◀']),
  },
  {
    code: 'STUDY_TEXT_MALFORMED',
    what: 'the opener inside a quote',
    source: parcelWithText('> :::study-text◀'),
  },
  {
    code: 'STUDY_TEXT_UNCLOSED',
    what: 'no :::',
    source: parcelWith([':::study-text Transcript', ':::study-text Transcript◀'], ['today.\n:::', 'today.']),
  },
  {
    code: 'STUDY_TEXT_EMPTY',
    what: 'nothing to speak',
    source: harbour.replace(/:::study-text[\s\S]*?:::/, ':::study-text◀\n\n:::'),
  },
  {
    code: 'STUDY_TEXT_REPEATED',
    what: 'a second one',
    source: parcelWithText(':::study-text◀\nIt is late.\n:::'),
  },
  {
    code: 'STUDY_TEXT_NESTED',
    what: 'a callout inside',
    source: parcelWith(['Paul: Of course.', ':::callout 💡◀\nA hint.\n:::\nPaul: Of course.']),
  },
  {
    code: 'STUDY_TEXT_SHORT',
    what: 'two paragraphs',
    source: harbour.replace(/:::study-text[\s\S]*?:::/, ':::study-text◀\nOne.\n\nTwo.\n:::'),
  },
  { code: 'SPEAKER_UNKNOWN', what: 'someone else', source: parcelWith(['Ines: Yes,', 'Ana: Yes,◀']) },
  {
    code: 'SPEAKER_EXPECTED',
    what: 'words before any speaker',
    source: parcelWith(['Ines: Good', 'It is nine.◀\nInes: Good']),
  },
  {
    code: 'COLUMNS_UNCLOSED',
    what: 'no ::: for the list',
    source: parcelWithText(':::column-list◀\n:::column\na\n:::'),
  },
  { code: 'COLUMNS_EMPTY', what: 'no columns', source: parcelWithText(':::column-list◀\n:::') },
  {
    code: 'COLUMNS_TEXT',
    what: 'words between columns',
    source: parcelWithText(':::column-list\n:::column\na\n:::\nb◀\n:::'),
  },
  {
    code: 'COLUMN_EMPTY',
    what: 'nothing in it',
    source: parcelWithText(':::column-list\n:::column\na\n:::\n:::column◀\n:::\n:::'),
  },
  { code: 'COLUMN_MISPLACED', what: 'outside a list', source: parcelWithText(':::column◀\na\n:::') },
  { code: 'CALLOUT_UNCLOSED', what: 'no :::', source: parcelWithText(':::callout 💡◀\nx') },
  { code: 'CALLOUT_ICON', what: 'no emoji', source: parcelWithText(':::callout◀\nx\n:::') },
  { code: 'CALLOUT_ICON', what: 'a word for an emoji', source: parcelWithText(':::callout tip◀\nx\n:::') },
  { code: 'CALLOUT_EMPTY', what: 'nothing in it', source: parcelWithText(':::callout 💡◀\n:::') },
  { code: 'SYNCED_UNCLOSED', what: 'no :::', source: parcelWithText(':::synced-block◀\nx') },
  { code: 'SYNCED_EMPTY', what: 'neither id nor content', source: parcelWithText(':::synced-block◀\n:::') },
  { code: 'MEDIA_URL', what: 'a file name', source: parcelWithText(':::audio song.mp3◀') },
  { code: 'MEDIA_URL', what: 'a script', source: parcelWithText(':::video javascript:alert(1)◀') },
  {
    code: 'TABLE_RAGGED',
    what: 'a short row',
    source: parcelWithText('| a | b |\n|---|---|\n| 1 | 2 |\n| 3◀ |'),
  },
  {
    code: 'TABLE_RAGGED',
    what: 'a separator row of another width',
    source: parcelWithText('\n| a | b |\n|---|◀\n| 1 | 2 |'),
  },
  {
    code: 'TABLE_RAGGED',
    what: 'a short row of a table without header',
    source: parcelWithText('\n| a | b |\n| 1◀ |'),
  },
  { code: 'TABLE_EMPTY', what: 'only a header', source: parcelWithText('| a◀ | b |\n|---|---|') },
  { code: 'NESTED_CODE', what: 'a code block', source: parcelWithText('~~~◀\nlet a;\n~~~') },
  { code: 'HTML_IGNORED', what: 'a tag', source: parcelWithText('Say <script src=x> it.◀') },
  {
    code: 'PRACTICE_MISSING',
    what: 'no such heading',
    source: parcelWith(
      ['Practice & Pronunciation', 'Practice & Pronunciation◀'],
      ['A. 🔩 Controlled', 'A. Other'],
    ),
  },
  {
    code: 'PRACTICE_COUNT',
    what: 'seven items',
    source: parcelWith(
      ['A. 🔩 Controlled Practice', 'A. 🔩 Controlled Practice◀'],
      ['8. Who ______ the boats? (count)\n', ''],
    ),
  },
  {
    code: 'COMPREHENSION_COUNT',
    what: 'one question',
    source: parcelWith(['Comprehension Check', 'Comprehension Check◀'], ['2. Who arrives last?\n', '']),
  },
];
