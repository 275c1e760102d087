import { describe, expect, it } from 'vitest';
import { readMp3 } from '../../test/narration/read-mp3.ts';
import { assemble } from './assemble.ts';
import { encodeMp3 } from './mp3.ts';

const hum = (seconds: number, rate: number) => ({
  voiceId: 'a',
  samples: Int16Array.from({ length: seconds * rate }, (_, index) => 9_000 * Math.sin(index / 12)),
});

describe('an MP3', () => {
  it.each([16_000, 22_050, 24_000, 44_100])('at %d Hz is whole frames, as long as it says', async (rate) => {
    const { bytes, durationMs } = await encodeMp3(assemble([hum(3, rate)], rate), 'A hum');
    const { frames, frameMs, sampleRate, title } = readMp3(bytes);
    expect(sampleRate).toBe(rate);
    expect(title).toBe('A hum');
    expect(Math.abs(frames * frameMs - durationMs)).toBeLessThanOrEqual(frameMs);
    expect(Math.abs(durationMs - 3_400)).toBeLessThan(4 * frameMs);
  });

  it.each([
    ['Урок 3: Café 🎉', 'Урок 3: Café 🎉'],
    ['', ''],
    ['a\u0000b\nc', 'a b c'],
    ['x'.repeat(100_000), 'x'.repeat(250)],
    [`${'x'.repeat(249)}🎉`, `${'x'.repeat(249)}\ufffd`],
  ])('carries its title', async (title, read) => {
    const { bytes } = await encodeMp3(assemble([], 16_000), title);
    expect(readMp3(bytes).title).toBe(read);
  });
});
