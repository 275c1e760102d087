import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SpokenLine, toSegments } from '../segments.ts';
import { dialogueChunks, MAX_DIALOGUE_CODE_POINTS, MAX_DIALOGUE_VOICES } from './dialogue-chunks.ts';

const length = (text: string) => Array.from(text).length;
const turn = (voiceId: string, size: number) => ({ voiceId, text: 'x'.repeat(size) });

describe('a dialogue cut into requests', () => {
  it('fills each request as far as it goes', () => {
    const turns = [900, 900, 200, 1, 1_000].map((size) => turn('a', size));
    expect(dialogueChunks(turns).map((chunk) => chunk.map(({ text }) => text.length))).toEqual([
      [900, 900, 200],
      [1, 1_000],
    ]);
  });

  it('has no more voices in a request than may speak in one', () => {
    const turns = Array.from({ length: 12 }, (_, index) => turn(`voice-${index % 11}`, 10));
    expect(dialogueChunks(turns).map(({ length: size }) => size)).toEqual([10, 2]);
  });

  it('loses and repeats nothing, whatever the lesson says', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 }).map((part) => part.repeat(80));
    const line = fc.record({
      speaker: fc.option(fc.constantFrom('Ines', 'Paul', 'Tom', ...'abcdefghij')),
      text: fc.oneof(text, fc.lorem({ mode: 'sentences', maxCount: 30 })),
      line: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 15 }), (lines: SpokenLine[]) => {
        const segments = toSegments(lines, { labels: [], profileIds: [] });
        const turns = segments.map((segment) => ({ ...segment, voiceId: segment.speaker }));
        const chunks = dialogueChunks(turns);
        expect(chunks.flat()).toEqual(turns);
        for (const chunk of chunks) {
          expect(chunk.length).toBeGreaterThan(0);
          expect(length(chunk.map((each) => each.text).join(''))).toBeLessThanOrEqual(
            MAX_DIALOGUE_CODE_POINTS,
          );
          expect(new Set(chunk.map(({ voiceId }) => voiceId)).size).toBeLessThanOrEqual(MAX_DIALOGUE_VOICES);
          expect(chunk.every((each) => !/[[\]]/.test(each.text))).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });
});
