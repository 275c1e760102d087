import { describe, expect, it } from 'vitest';
import type { NarratedSegment } from './narrator.ts';
import { transcriptOf } from './transcript.ts';

const said = (over: Partial<NarratedSegment> = {}): NarratedSegment => ({
  speaker: 'Ines',
  text: 'Good morning, Paul.',
  voiceId: 'v1',
  startMs: 0,
  endMs: 1_500,
  words: [],
  cached: false,
  ...over,
});

describe('a transcript', () => {
  it('says who says what, and when', () => {
    const second = said({ speaker: 'Paul', text: 'Hello!', startMs: 1_750, endMs: 3_661_004 });
    expect(transcriptOf({ segments: [said(), second] })).toBe(
      [
        'WEBVTT',
        '1\n00:00:00.000 --> 00:00:01.500\n<v Ines>Good morning, Paul.',
        '2\n00:00:01.750 --> 01:01:01.004\n<v Paul>Hello!\n',
      ].join('\n\n'),
    );
  });

  it('has the time of each word, as far as times rise within the cue', () => {
    const words = [
      { text: 'Good', startMs: 0, endMs: 400 },
      { text: 'morning,', startMs: 500, endMs: 900 },
      { text: 'Paul.', startMs: 500, endMs: 1_400 },
    ];
    expect(transcriptOf({ segments: [said({ words })] })).toContain(
      '<v Ines>Good <00:00:00.500>morning, Paul.',
    );
  });

  it('trusts the text more than the words', () => {
    const words = [{ text: 'Something', startMs: 100, endMs: 900 }];
    expect(transcriptOf({ segments: [said({ words })] })).toContain('<v Ines>Good morning, Paul.');
  });

  it('cannot be broken by what is said, and leaves out what makes no sound', () => {
    const odd = said({ speaker: 'A>B', text: 'x --> y\n\n2 < 3 & <i>so</i>' });
    const silent = said({ text: '日本語', startMs: 2_000, endMs: 2_000 });
    expect(transcriptOf({ segments: [odd, silent] })).toBe(
      'WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.500\n<v A&gt;B>x --&gt; y 2 &lt; 3 &amp; &lt;i&gt;so&lt;/i&gt;\n',
    );
  });
});
