import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { speakable } from './speakable.ts';

describe('text for the offline voices', () => {
  it.each([
    ['“It’s late,” she said…', '"It\'s late," she said.'],
    ['She … the gate', 'She, the gate'],
    ['a café in Łódź', 'a cafe in lodz'],
    ['It costs £5.50 or €6.', 'It costs 5.50 pounds or 6 euros.'],
    ['from 1990–1995 — five years', 'from 1990 to 1995, five years'],
    ['salt & pepper at 20°', 'salt and pepper at 20 degrees'],
    ['Привет!', ''],
    ['', ''],
  ])('%j becomes %j', (text, ascii) => {
    expect(speakable(text)).toBe(ascii);
  });

  it('is printable ASCII, whatever comes in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(speakable(text)).toMatch(/^[ -~]*$/);
      }),
    );
  });
});
