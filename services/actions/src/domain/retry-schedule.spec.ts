import { describe, expect, it } from 'vitest';
import { nextDelayMs, RETRY_DELAYS_S } from './retry-schedule.ts';

const delaysS = [10, 100];

describe('the wait after a failed attempt', () => {
  it('grows, is spread by a fifth, and ends', () => {
    expect(nextDelayMs(1, { delaysS, random: () => 0 })).toBe(8_000);
    expect(nextDelayMs(1, { delaysS, random: () => 1 })).toBe(12_000);
    expect(nextDelayMs(2, { delaysS, random: () => 0.5 })).toBe(100_000);
    expect(nextDelayMs(3, { delaysS, random: () => 0.5 })).toBeNull();
  });

  it('is as long as the receiver asks, up to a day, and never shorter than planned', () => {
    const wait = (retryAfterMs: number) => nextDelayMs(1, { delaysS, retryAfterMs, random: () => 0.5 });
    expect(wait(60_000)).toBe(60_000);
    expect(wait(1)).toBe(10_000);
    expect(wait(1e12)).toBe(86_400_000);
  });

  it('makes about a day in all', () => {
    const hours = RETRY_DELAYS_S.reduce((sum, s) => sum + s, 0) / 3_600;
    expect(hours).toBeGreaterThan(23);
    expect(hours).toBeLessThan(28);
  });
});
