import { describe, expect, it } from 'vitest';
import { searchWords } from './search-words.ts';

describe('the words a job is found by', () => {
  it.each([
    ['The Lost Parcel', ['the', 'lost', 'parcel']],
    ['unit-7_The.LOST parcel.md', ['unit', '7', 'the', 'lost', 'parcel', 'md']],
    ['Zoë’s Café: Größe, Łódź, Åse', ['zoe', 's', 'cafe', 'grosse', 'lodz', 'ase']],
    [
      'uploads/01a214e8-ea80-748c-a338-d058b74cecbe/Zoë’s lost-parcel (2).md',
      [
        'uploads',
        '01a214e8',
        'ea80',
        '748c',
        'a338',
        'd058b74cecbe',
        'zoe',
        's',
        'lost',
        'parcel',
        '2',
        'md',
      ],
    ],
    ['ﬁne ½ Ⅷ', ['fine', '1', '2', 'viii']],
    ['日本語 русский', ['日本語', 'русскии']],
    [' —…! ', []],
  ])('of %j', (text, words) => {
    expect(searchWords([text])).toEqual(words);
  });

  it('are distinct over all texts, and bounded in length and number', () => {
    expect(searchWords(['a b', 'B c', 'a'])).toEqual(['a', 'b', 'c']);
    expect(searchWords(['x'.repeat(1_000)])).toEqual(['x'.repeat(40)]);
    expect(searchWords([Array.from({ length: 1_000 }, (_, index) => `w${index}`).join(' ')])).toHaveLength(
      40,
    );
  });
});
