import { describe, expect, it } from 'vitest';
import { BACKGROUNDS, INK, PAPER, TEXT_COLOURS } from './preset-tints.ts';

const luminance = (hex: string): number => {
  const channel = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
};
const contrast = (a: string, b: string): number => {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
};

/** WCAG 2.2, level AA, for text of any size. */
const AA = 4.5;

describe.each(['light', 'dark'] as const)('colours on a %s page', (theme) => {
  it.each(Object.entries(TEXT_COLOURS))('%s can be read on the paper', (_name, shade) => {
    expect(contrast(shade[theme], PAPER[theme])).toBeGreaterThanOrEqual(AA);
  });

  it.each(Object.entries(BACKGROUNDS))('%s can be written on', (_name, shade) => {
    expect(contrast(shade[theme], INK[theme])).toBeGreaterThanOrEqual(AA);
  });

  it('are all of Notion’s nine', () => {
    expect(Object.keys(BACKGROUNDS)).toEqual(Object.keys(TEXT_COLOURS).map((name) => `${name}_background`));
  });
});
