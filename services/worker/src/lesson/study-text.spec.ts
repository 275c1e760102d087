import { describe, expect, it } from 'vitest';
import { parcelWith, sampleLesson } from './finding-examples.ts';
import { parseLesson } from './lesson.ts';
import type { StudyText } from './study-text.ts';

/** What is understood of a study text, under these labels. */
const read = (text: string, labels: readonly string[] = []) => {
  const source = sampleLesson('the-lost-parcel')
    .replace('speaker_labels: [Ines, Paul]', `speaker_labels: ${JSON.stringify(labels)}`)
    .replace(/:::study-text[\s\S]*?\n:::/, `:::study-text Transcript\n${text}\n:::`);
  const { lesson, findings } = parseLesson(source);
  if (!lesson) throw new Error('no lesson');
  return { ...lesson.studyText, codes: findings.map(({ code }) => code) };
};
const said = ({ turns }: StudyText) => turns.map(({ speaker, text }) => [speaker, text]);

describe('a speaker line', () => {
  it.each(['Alex: Hi', '[Alex]: Hi', '**Alex**: Hi', '**Alex:** Hi', '  Alex: Hi', 'Alex:  Hi'])(
    '%j is Alex saying Hi',
    (line) => {
      expect(said(read(line, ['Alex']))).toEqual([['Alex', 'Hi']]);
    },
  );

  it.each([
    'We met at 10:30',
    'Alex:Hi',
    'Alex:',
    'https://example.org',
    `${'A'.repeat(33)}: Hi`,
    '「Alex」: Hi',
  ])('%j names no speaker', (line) => {
    expect(said(read(`Alex: Hi\n${line}`, ['Alex']))[1]).toEqual([null, line]);
  });

  it('is spelt as in the labels', () => {
    expect(said(read('ALEX: Hi\n[alex]: Yes', ['Alex']))).toEqual([
      ['Alex', 'Hi'],
      ['Alex', 'Yes'],
    ]);
  });

  it('may have Cyrillic and accented names, and any name that is a label', () => {
    const text = "Ольга: Hi\nJosé: Hi\nMs O'Hara: Hi";
    expect(read(text, ['Ольга', 'José', "Ms O'Hara"]).codes).toEqual([]);
  });
});

describe('a study text without labels', () => {
  it('takes a name for a speaker when it comes again, or is bracketed or bold', () => {
    expect(said(read('Ann: Hi\n[Bo]: Hi\n**Cy:** Hi\nann: Bye\nRemember: be kind'))).toEqual([
      ['Ann', 'Hi'],
      ['Bo', 'Hi'],
      ['Cy', 'Hi'],
      ['Ann', 'Bye'],
      [null, 'Remember: be kind'],
    ]);
  });

  it.each([[[]], [['Narrator']]])('is free, and so with labels %j', (labels) => {
    const { codes, kind } = read('Once, at 10: nothing.\n\nTwice.\n\nThree times.', labels);
    expect({ codes, kind }).toEqual({ codes: [], kind: 'monologue' });
  });
});

describe('the study text', () => {
  it('is a dialogue from two speaker lines on', () => {
    expect(read('Ann: Hi', ['Ann']).kind).toBe('monologue');
    expect(read('Ann: Hi\nAnn: Ho', ['Ann']).kind).toBe('dialogue');
  });

  it('of the street party has three people, and a line that goes on', () => {
    const { studyText } = parseLesson(sampleLesson('street-party')).lesson ?? {};
    expect(studyText?.speakers).toEqual(['Teacher', 'Nora', 'Sean']);
    expect(studyText?.turns.map(({ speaker, line }) => [speaker, line])).toEqual([
      ['Teacher', 24],
      ['Nora', 25],
      [null, 26],
      ['Sean', 27],
      ['Teacher', 28],
    ]);
  });

  it('drops its label, and a first line that repeats it', () => {
    const text = read('**Transcript:**\nAnn: Hi', ['Ann']);
    expect(text.label).toBe('Transcript');
    expect(said(text)).toEqual([['Ann', 'Hi']]);
  });

  it('is spoken without comments, code and other directives', () => {
    const text = read(
      'One. <!-- slowly\nvery --> Two.\n:::audio https://example.org/a.mp3\n:::callout 💡\nHint\n:::\nThree.',
    );
    expect(said(text).map(([, words]) => words)).toEqual(['One.', 'Two.', 'Three.']);
  });

  it('keeps its Markdown and its gaps', () => {
    expect(said(read('I ____ *very* __late__.'))).toEqual([[null, 'I ____ *very* __late__.']]);
  });

  it.each([
    ['One.\nAnn: Hi', ['Narrator', 'Ann', 'Bo'], ['Ann', 'Bo']],
    ['One.', ['Narrator'], ['Narrator']],
    ['One.', [], ['Narrator']],
    ['Bo: One.\nAnn: Two.', ['Ann', 'Bo', 'Cy', 'Narrator'], ['Bo', 'Ann', 'Cy']],
    ['Narrator: One.\nAnn: Two.', ['Ann', 'Narrator'], ['Narrator', 'Ann']],
  ])('%j with labels %j needs the voices %j', (text, labels, speakers) => {
    expect(read(text, labels).speakers).toEqual(speakers);
  });

  it('without speakers falls to the first profile', () => {
    const source = parcelWith(
      ['speaker_labels: [Ines, Paul]', 'speaker_profiles: [{id: Ana}]'],
      ['Ines: Good', 'Good'],
      ['Paul: Of', 'Of'],
      ['Ines: Yes', 'Yes'],
      ['Paul: Thank', 'Thank'],
    );
    expect(parseLesson(source).lesson?.studyText.speakers).toEqual(['Ana']);
  });
});
