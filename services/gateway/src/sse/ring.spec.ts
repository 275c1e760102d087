import { describe, expect, it } from 'vitest';
import type { StreamEvent } from './event.ts';
import { eventRing } from './ring.ts';

const event = (seq: number, bytes = 10): StreamEvent => ({
  seq,
  jobId: 'a',
  bytes,
  ownerId: () => 'ana',
  frame: () => Buffer.alloc(0),
});
const generous = { maxEvents: 1_000, maxBytes: 1_000_000, maxAgeMs: 1_000 };
const keptAfter = (ring: ReturnType<typeof eventRing>, seq: number, limit = 100) =>
  ring.after(seq, limit).map((kept) => kept.seq);

describe('the ring of recent events', () => {
  it('gives what came after a sequence, in order, at most as many as asked', () => {
    const ring = eventRing(generous);
    ring.restart(4);
    for (const seq of [5, 6, 9]) ring.push(event(seq), 0);
    expect(ring.floor()).toBe(4);
    expect(keptAfter(ring, 4)).toEqual([5, 6, 9]);
    expect(keptAfter(ring, 6)).toEqual([9]);
    expect(keptAfter(ring, 7)).toEqual([9]);
    expect(keptAfter(ring, 4, 2)).toEqual([5, 6]);
    expect(keptAfter(ring, 9)).toEqual([]);
  });

  it.each([
    ['events', { ...generous, maxEvents: 3 }],
    ['bytes', { ...generous, maxBytes: 3 * 40 }],
  ])('holds no more than its %s, and knows where it begins', (_what, limits) => {
    const ring = eventRing(limits);
    for (let seq = 1; seq <= 5_000; seq += 1) {
      ring.push(event(seq), 0);
      expect(ring.floor()).toBe(Math.max(0, seq - 3));
    }
    expect(keptAfter(ring, 4_997)).toEqual([4_998, 4_999, 5_000]);
  });

  it('drops what is old', () => {
    const ring = eventRing(generous);
    ring.push(event(1), 0);
    ring.push(event(2), 500);
    ring.dropOld(1_001);
    expect([ring.floor(), keptAfter(ring, 1)]).toEqual([1, [2]]);
    ring.dropOld(9_999);
    expect([ring.floor(), keptAfter(ring, 2)]).toEqual([2, []]);
  });

  it('forgets all when the stream begins anew', () => {
    const ring = eventRing(generous);
    ring.push(event(7), 0);
    ring.restart(0);
    ring.push(event(1), 0);
    expect([ring.floor(), keptAfter(ring, 0)]).toEqual([0, [1]]);
  });
});
