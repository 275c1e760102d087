import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';

describe('waiting before the next attempt', () => {
  it('doubles, with jitter in the upper half', () => {
    expect([1, 2, 3, 4].map((attempt) => backoffMs(attempt, 0, 0))).toEqual([500, 1_000, 2_000, 4_000]);
    expect([1, 2, 3, 4].map((attempt) => backoffMs(attempt, 0, 1))).toEqual([1_000, 2_000, 4_000, 8_000]);
  });

  it('never waits longer than a minute by itself', () => {
    expect(backoffMs(30, 0, 1)).toBe(60_000);
  });

  it('honours what the failing service asked for, within a quarter of an hour', () => {
    expect(backoffMs(1, 20_000, 0)).toBe(20_000);
    expect(backoffMs(1, 86_400_000, 0)).toBe(900_000);
  });
});
