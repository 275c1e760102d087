import { describe, expect, it } from 'vitest';
import { timingsSchema, turnsOf } from './timings.ts';

/** Each character takes 0.1 s. */
const alignmentOf = (text: string) => ({
  characters: Array.from(text),
  character_start_times_seconds: Array.from(text, (_, index) => index / 10),
  character_end_times_seconds: Array.from(text, (_, index) => (index + 1) / 10),
});

describe('the times in an answer', () => {
  it('are those of its words', () => {
    const timings = timingsSchema.parse({ alignment: alignmentOf('Good morning,  Paul.') });
    expect(turnsOf(timings, ['Good morning,  Paul.'], 2_300)).toEqual([
      {
        startMs: 0,
        endMs: 2_300,
        words: [
          { text: 'Good', startMs: 0, endMs: 400 },
          { text: 'morning,', startMs: 500, endMs: 1_300 },
          { text: 'Paul.', startMs: 1_500, endMs: 2_000 },
        ],
      },
    ]);
  });

  it('tell the turns of a dialogue apart, also one that comes in pieces', () => {
    const piece = (from: number, to: number, turn: number) => ({
      voice_id: 'v',
      start_time_seconds: from / 10,
      end_time_seconds: to / 10,
      character_start_index: from,
      character_end_index: to,
      dialogue_input_index: turn,
    });
    const timings = timingsSchema.parse({
      alignment: alignmentOf('Hi you.No.'),
      voice_segments: [piece(0, 3, 0), piece(3, 7, 0), piece(7, 10, 1)],
    });
    const [first, second] = turnsOf(timings, ['Hi you.', 'No.'], 1_000);
    expect(first).toMatchObject({ startMs: 0, endMs: 700 });
    expect(first?.words.map(({ text }) => text)).toEqual(['Hi', 'you.']);
    expect(second).toMatchObject({ startMs: 700, endMs: 1_000, words: [{ text: 'No.' }] });
  });

  it.each([
    ['missing', {}],
    ['null', { alignment: null, voice_segments: null }],
    ['odd', { alignment: { characters: 'no list' }, voice_segments: [{ voice_id: 1 }] }],
  ])('may be %s: a dialogue is then shared out by its characters', (_, answer) => {
    const turns = turnsOf(timingsSchema.parse(answer), ['aaa', 'a'], 1_000);
    expect(turns).toEqual([
      { startMs: 0, endMs: 750, words: [] },
      { startMs: 750, endMs: 1_000, words: [] },
    ]);
  });

  it('may be too few for the text', () => {
    const timings = timingsSchema.parse({
      alignment: {
        ...alignmentOf('Hello'),
        character_start_times_seconds: [0],
        character_end_times_seconds: [],
      },
    });
    const [turn] = turnsOf(timings, ['Hello'], 500);
    for (const { startMs, endMs } of turn?.words ?? []) expect(endMs).toBeGreaterThanOrEqual(startMs);
  });
});
