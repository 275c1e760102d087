import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanForSpeech, speakersOf, splitAtSentences, toSegments } from './segments.ts';

const words = (text: string) => text.split(/\s+/).filter((word) => word !== '');
const nobody = { labels: [], profileIds: [] };

describe('cleaning a line for speech', () => {
  it.each([
    ['**Bold**, *italic*, ~~gone~~ and `code`', 'Bold, italic, gone and code'],
    ['- a bullet', 'a bullet'],
    ['3) a number', 'a number'],
    ['## A heading', 'A heading'],
    ['> a quotation', 'a quotation'],
    ['a [link](https://example.org/a_b) and ![a cat](cat.png)', 'a link and a cat'],
    ['a <b>tag</b><br/> and <https://example.org>', 'a tag and'],
    ['She ______ the gate. (open)', 'She … the gate. (open)'],
    ['She __ the gate, w__k and __really__', 'She … the gate, w … k and really'],
    ['snake_case and _stress_', 'snake case and stress'],
    ['[laughs] fine', '(laughs) fine'],
    ['two\nlines\tand  spaces', 'two lines and spaces'],
    ['party 🎉 time 👩‍👩‍👧 🇬🇧', 'party time'],
    ['at 10:30, 5 < 7', 'at 10:30, 5 < 7'],
    ['not \\*bold\\*', 'not bold'],
  ])('%j is spoken as %j', (markdown, spoken) => {
    expect(cleanForSpeech(markdown)).toBe(spoken);
  });

  it('accepts any text at all', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const clean = cleanForSpeech(text);
        expect(clean.isWellFormed()).toBe(true);
        expect(clean).not.toMatch(/[*_`~>#[\]\n]/);
      }),
    );
  });

  it('stays quick on text made to slow it down', () => {
    for (const unit of ['[', '<a', '![](', '_', '*_', ' ', '\\', '&', '\n', '[a](', '1', '<!--'])
      expect(cleanForSpeech(unit.repeat(100_000)).length).toBeLessThan(500_000);
  });
});

describe('lines to segments', () => {
  it('gives unlabelled lines to the last speaker', () => {
    const lines = [
      { speaker: 'Ines', text: 'Good morning.', line: 4 },
      { speaker: null, text: 'Could you help me?', line: 5 },
    ];
    expect(toSegments(lines, { labels: ['Ines', 'Paul'], profileIds: [] })).toEqual([
      { speaker: 'Ines', text: 'Good morning.', line: 4 },
      { speaker: 'Ines', text: 'Could you help me?', line: 5 },
    ]);
  });

  it.each([
    [{ labels: ['Narrator', 'Tom'], profileIds: [] }, 'Tom'],
    [{ labels: ['Narrator'], profileIds: ['Ann'] }, 'Narrator'],
    [{ labels: [], profileIds: ['Ann'] }, 'Ann'],
    [nobody, 'Narrator'],
  ])('gives a text without speakers, with %j, to %s', (names, speaker) => {
    expect(toSegments([{ speaker: null, text: 'Hello.', line: 1 }], names)).toMatchObject([{ speaker }]);
  });

  it('spells a speaker as the label does', () => {
    const lines = [{ speaker: 'INES', text: 'Hello.', line: 1 }];
    expect(toSegments(lines, { labels: ['Ines'], profileIds: [] })).toMatchObject([{ speaker: 'Ines' }]);
  });

  it('drops lines with nothing to say', () => {
    const lines = ['', '***', '🎉', '____', '...'].map((text, line) => ({ speaker: null, text, line }));
    expect(toSegments(lines, nobody)).toEqual([]);
  });

  it('cuts a long turn between sentences and keeps its line', () => {
    const lines = [{ speaker: 'Tom', text: 'One two. Three four! Five six?', line: 7 }];
    expect(toSegments(lines, nobody, 21).map(({ text, line }) => [text, line])).toEqual([
      ['One two. Three four!', 7],
      ['Five six?', 7],
    ]);
  });

  it('loses no word, repeats none, and respects the limit', () => {
    const sentence = fc.string({
      unit: fc.constantFrom('a', 'é', 'жук', '𝒳', ' ', '.', ',', '? '),
      maxLength: 400,
    });
    fc.assert(
      fc.property(sentence, fc.integer({ min: 12, max: 80 }), (text, max) => {
        const clean = cleanForSpeech(text);
        const parts = splitAtSentences(clean, max);
        for (const part of parts) expect(Array.from(part).length).toBeLessThanOrEqual(max);
        expect(parts.join('').replaceAll(' ', '')).toBe(clean.replaceAll(' ', ''));
        if (words(clean).every((word) => Array.from(word).length < max))
          expect(parts.flatMap(words)).toEqual(words(clean));
      }),
    );
  });
});

describe('the speakers of a lesson', () => {
  const said = (...speakers: string[]) => speakers.map((speaker, line) => ({ speaker, text: 'Hi.', line }));

  it('come in speaking order, then the silent labels', () => {
    const names = { labels: ['Ines', 'Paul', 'Narrator'], profileIds: [] };
    expect(speakersOf(said('Paul', 'Ines', 'Paul'), names)).toEqual(['Paul', 'Ines']);
    expect(speakersOf(said('Paul'), names)).toEqual(['Paul', 'Ines']);
  });

  it('include the narrator when it speaks or nobody else does', () => {
    expect(speakersOf(said('Narrator', 'Tom'), nobody)).toEqual(['Narrator', 'Tom']);
    expect(speakersOf([], { labels: ['Narrator'], profileIds: [] })).toEqual(['Narrator']);
    expect(speakersOf([], { labels: [], profileIds: ['Ann'] })).toEqual(['Ann']);
    expect(speakersOf([], nobody)).toEqual(['Narrator']);
  });
});
