import { describe, expect, it } from 'vitest';
import { weightedTurns } from './turns.ts';

const high = { name: 'high', weight: 6 };
const normal = { name: 'normal', weight: 3 };
const low = { name: 'low', weight: 1 };

describe('weighted turns', () => {
  it('give each queue its share, low ones too', () => {
    const turns = weightedTurns([high, normal, low]);
    const taken = Array.from({ length: 100 }, () => turns.next(() => true));
    const count = (queue: typeof high) => taken.filter((each) => each === queue).length;
    expect([count(high), count(normal), count(low)]).toEqual([60, 30, 10]);
    expect(taken.slice(0, 10)).toContain(low);
  });

  it('pass over queues that have nothing', () => {
    const turns = weightedTurns([high, normal, low]);
    expect(turns.next((queue) => queue === low)).toBe(low);
    expect(turns.next(() => false)).toBeNull();
  });
});
