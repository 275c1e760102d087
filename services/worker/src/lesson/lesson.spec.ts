import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Block, childrenOf, walk } from './blocks.ts';
import { parcelWith, parcelWithText, sampleLesson } from './finding-examples.ts';
import { parseLesson } from './lesson.ts';
import { textOf } from './markdown.ts';

const SAMPLES = ['morning-at-the-harbour', 'the-lost-parcel', 'street-party'].map(sampleLesson);

const codes = (source: string) => parseLesson(source).findings.map(({ code }) => code);
const bodyOf = (source: string): readonly Block[] => parseLesson(source).lesson?.body ?? [];
/** The blocks of section 4 that `parcelWithText` put there, without the Markdown around them. */
const directivesOf = (text: string) =>
  bodyOf(parcelWithText(text)).filter((block) => !['markdown', 'study-text', 'toggle'].includes(block.type));
const words = (blocks: readonly Block[]) =>
  [...walk(blocks)].flatMap((block) => (block.type === 'markdown' ? block.nodes.map(textOf) : [])).join(' ');

describe('the sample lessons', () => {
  it.each(SAMPLES)('pass in strict mode %#', (source) => {
    expect(parseLesson(source, { strict: true })).toMatchObject({ ok: true, findings: [] });
  });

  it('the broken one shows each finding on its line', () => {
    const { ok, findings } = parseLesson(sampleLesson('broken-lesson'));
    expect(ok).toBe(false);
    expect(findings.map(({ line, code }) => `${line} ${code}`)).toEqual([
      '5 FRONT_MATTER_FIELD',
      '7 INPUT_TYPE',
      '10 PROFILE_VALUE',
      '11 PROFILE_UNLABELLED',
      '19 SPEAKER_EXPECTED',
      '22 SPEAKER_UNKNOWN',
      '25 CALLOUT_ICON',
      '32 TABLE_RAGGED',
      '35 PRACTICE_COUNT',
      '39 COMPREHENSION_COUNT',
      '43 SECTION_ORDER',
      '46 MEDIA_URL',
      '53 TOGGLE_MISSING',
    ]);
  });

  it('have their front matter in one place', () => {
    expect(parseLesson(sampleLesson('street-party')).lesson?.meta).toEqual({
      title: 'Homework: Planning a Street Party',
      student: 'Mira',
      level: 'B2',
      topic: 'Suggestions and plans',
      inputType: 'authentic',
      icon: '🎉',
      properties: { Status: 'Ready' },
      speakerLabels: ['Nora', 'Sean', 'Teacher'],
      speakerProfiles: [
        { id: 'Nora', role: 'student', gender: 'female', age: 'young', accent: 'british', other: {} },
        { id: 'Sean', role: 'student', gender: 'male', accent: 'irish', style: 'calm', other: {} },
        { id: 'Teacher', role: 'teacher', gender: 'female', accent: 'american', other: {} },
      ],
    });
  });
});

describe('strict mode', () => {
  it('makes errors of warnings', () => {
    const source = parcelWith(['generate', 'copied']);
    expect(parseLesson(source).ok).toBe(true);
    expect(parseLesson(source, { strict: true })).toMatchObject({
      ok: false,
      findings: [{ code: 'INPUT_TYPE', severity: 'error' }],
    });
  });
});

describe('the envelope', () => {
  const parcel = sampleLesson('the-lost-parcel');
  const fencedWith = (open: string, close: string) =>
    parcel.replace('```markdown', open).replace(/```\s*$/, close);

  it.each([
    ['another language word', fencedWith('```md', '```')],
    ['no language word', fencedWith('```', '```')],
    ['tildes', fencedWith('~~~markdown', '~~~~')],
    ['four backticks', fencedWith('````markdown', '````')],
    ['words around it', `Here is your lesson:\n\n${parcel}\nGood luck!\n`],
    ['blank lines inside it', fencedWith('```\n\n', '\n\n```')],
  ])('may have %s', (_what, source) => {
    expect(codes(source)).toEqual([]);
  });

  it('leaves a code sample whole when the outer fence is longer', () => {
    const source = parcelWithText('```js\nlet a;\n```')
      .replace('```markdown', '````markdown')
      .replace(/```\s*$/, '````');
    expect(codes(source)).toEqual(['NESTED_CODE']);
  });

  it('counts lines from the start of the file', () => {
    const { findings } = parseLesson(`A word\nfrom me\n\n${parcelWith(['Ines: Yes', 'Ana: Yes'])}`);
    expect(findings).toMatchObject([{ code: 'SPEAKER_UNKNOWN', line: 22 }]);
  });

  it('forgives what editors leave behind', () => {
    const source = `\ufeff${parcel.replaceAll('\n', '\r\n').replaceAll('Good morning', 'Good\u00a0mor\u200bning')}`;
    const { ok, lesson } = parseLesson(source, { strict: true });
    expect(ok).toBe(true);
    expect(lesson?.studyText.turns[0]?.text).toContain('Good morning.');
  });
});

describe('section headings', () => {
  it('may have curly apostrophes, other emoji and spaces', () => {
    const source = parcelWith(
      ["## 1. 🎯 This Week's Mission", '## 1.  🚀🚀 This Week’s  Mission'],
      [
        "Teacher's Follow-up Plan\n:::toggle-heading Teacher's",
        'Teacher’s Follow-up Plan\n:::toggle-h3 Teacher‘s',
      ],
      ['3. 🎧 Input Material: The Source', '3. Input Material'],
    );
    expect(codes(source)).toEqual([]);
  });

  it('inside directives do not count', () => {
    expect(codes(parcelWithText(':::toggle-heading More\n## Extra\n:::'))).toEqual([]);
  });

  it('end a directive that was not closed, so that only that is reported', () => {
    expect(codes(parcelWithText(':::callout 💡\nx'))).toEqual(['CALLOUT_UNCLOSED']);
  });

  it('get one finding when two are swapped', () => {
    const source = parcelWith(
      ['## 6. ✅ Your Turn: Complete the Mission!', '## X'],
      ['## 7. 🧠 Why This Mission Helps You', '## 6. Your Turn: Complete the Mission!'],
      ['## X', '## 7. Why This Mission Helps You'],
    );
    expect(codes(source)).toEqual(['SECTION_ORDER']);
  });
});

describe('directives', () => {
  it('keep their content, nested and indented as it may be', () => {
    const [columns] = directivesOf(
      ':::column-list\n  :::column\n    left\n  :::\n  :::column\n    :::callout ⚠️ Careful\n      right\n    :::\n  :::\n:::',
    );
    expect(columns).toMatchObject({
      type: 'columns',
      columns: [{ children: [{ type: 'markdown' }] }, { children: [{ type: 'callout', icon: '⚠️' }] }],
    });
    expect(words(columns ? childrenOf(columns) : [])).toBe('left Careful\nright');
  });

  it('are known in any case, and carry the line they open on', () => {
    const source = parcelWithText(
      ':::TOC\n:::Audio https://example.org/a.mp3\n:::video <https://example.org/v>',
    );
    const line = source.slice(0, source.indexOf(':::TOC')).split('\n').length;
    expect(bodyOf(source).filter(({ type }) => ['toc', 'audio', 'video'].includes(type))).toEqual([
      { type: 'toc', line },
      { type: 'audio', line: line + 1, url: 'https://example.org/a.mp3' },
      { type: 'video', line: line + 2, url: 'https://example.org/v' },
    ]);
  });

  it.each([
    [':::toggle-heading Hints', null],
    [':::toggle-h1 Hints', 1],
    [':::toggle-h2 Hints', 2],
    [':::toggle-h3 Hints', 3],
  ])('%s is a toggle of level %s', (opener, level) => {
    const toggles = bodyOf(parcelWithText(`${opener}\nx\n:::`)).filter(({ type }) => type === 'toggle');
    expect(toggles[0]).toMatchObject({ level, label: 'Hints' });
  });

  it('a synced block may stand for another one', () => {
    expect(directivesOf(':::synced-block 1f2e\n:::')).toMatchObject([{ type: 'synced', id: '1f2e' }]);
  });

  it('mean nothing inside code and comments', () => {
    const source = parcelWithText('~~~\n:::callout\n~~~\n\n<!--\n:::callout\n## Old\n-->\n<!-- :::toc -->');
    expect(codes(source)).toEqual(['NESTED_CODE']);
    expect(words(bodyOf(source))).not.toContain('Old');
  });

  it('stay in force after a comment or a fence that never ends', () => {
    expect(codes(parcelWithText('<!-- open\n\n~~~\n\n:::callout\nx\n:::'))).toEqual(['CALLOUT_ICON']);
  });
});

describe('any text at all', () => {
  const expectSound = (source: string) => {
    const { ok, findings, lesson } = parseLesson(source);
    const lines = source.split(/\r\n?|\n/).length;
    for (const { line } of findings) expect(line >= 1 && line <= lines).toBe(true);
    expect(ok).toBe(!findings.some(({ severity }) => severity === 'error'));
    if (!lesson) expect(ok).toBe(false);
    for (const block of walk(lesson?.body ?? [])) expect(block.line >= 1 && block.line <= lines).toBe(true);
  };

  it('is read without a throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 400 }), expectSound));
  });

  it('is read without a throw when it is nearly a lesson', () => {
    const bits = fc.constantFrom(
      ...[
        ':::',
        ':::column',
        ':::study-text',
        ':::callout',
        '```',
        '---',
        '## ',
        '\n',
        '<!--',
        '-->',
        '> ',
        '- ',
      ],
      ...[
        '| a |\n',
        '**',
        '[',
        '](',
        '\0',
        '\r',
        '\ufeff',
        '\ud800',
        '👨‍🏫',
        '&amp;',
        '\t',
        '  ',
        '_',
        '1) ',
        ': ',
      ],
    );
    const edit = fc.record({ at: fc.nat(), drop: fc.nat(80), add: fc.array(bits, { maxLength: 8 }) });
    const mutated = fc.tuple(fc.constantFrom(...SAMPLES), fc.array(edit, { minLength: 1, maxLength: 6 }));
    fc.assert(
      fc.property(mutated, ([sample, edits]) => {
        const source = edits.reduce((text, { at, drop, add }) => {
          const from = at % text.length;
          return text.slice(0, from) + add.join('') + text.slice(from + drop);
        }, sample);
        expectSound(source);
      }),
      { numRuns: 200 },
    );
  });

  it('is refused at once when it is ten megabytes on one line', () => {
    expect(codes(`---\n${'x'.repeat(10_000_000)}`)).toEqual(['LESSON_TOO_LARGE']);
  });

  // Without the limits each of these takes the Markdown parser minutes.
  it.each(['1) ', '> ', '>', '**a ', '[a](', '- ', '<!--', '```a\n', '    - a\n', '_ a ', ':::column\n'])(
    'is bounded when it is %j over and over',
    (unit) => {
      const { length } = unit.split('\n');
      expectSound(parcelWithText(unit.repeat(length > 1 ? 4_000 : Math.floor(150_000 / unit.length))));
    },
  );

  it.each([
    [
      'an alias bomb',
      `a: &a [1,1,1,1,1,1,1,1,1]\n${'bcdefgh'.replace(/./g, (k) => `${k}: &${k} [${`*${String.fromCharCode(k.charCodeAt(0) - 1)},`.repeat(9)}]\n`)}`,
    ],
    ['a value inside itself', 'a: &a [*a, *a, *a]'],
    ['brackets without end', '['.repeat(20_000)],
    ['lists without end', `a: ${'- '.repeat(9_000)}`],
    ['keys without end', '? '.repeat(9_000)],
    ['a binary tag', 'a: !!binary aGk='],
  ])('is harmless with %s as front matter', (_what, yaml) => {
    expect(codes(parcelWith(['title:', `${yaml}\ntitle:`]))).toContain('FRONT_MATTER_YAML');
  });

  it('keeps odd keys and huge numbers as mere data', () => {
    const { lesson } = parseLesson(
      parcelWith([
        'title:',
        'constructor: 1\nproperties: {toString: x, Big: 1e999, Long: 12345678901234567890}\ntitle:',
      ]),
    );
    expect(lesson?.frontMatter.constructor).toBe(1);
    expect(lesson?.meta.properties).toEqual({ toString: 'x', Big: 'Infinity', Long: 12345678901234567000 });
    expect(({} as Record<string, unknown>).Big).toBeUndefined();
  });
});
