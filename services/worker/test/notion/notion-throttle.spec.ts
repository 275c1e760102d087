import type { Bus } from '@esl/kit/bus';
import { openWorld, type World } from '@esl/kit/testing/world';
import { STREAMS } from '@esl-pipeline/contracts/bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { natsThrottle } from '../../src/outbound/nats-throttle.ts';
import { type Clock, localThrottle, type Throttle } from '../../src/publisher/notion/throttle.ts';

const RATE = { perSecond: 3, burst: 10 };
const forever = new AbortController().signal;

let world: World;
let buses: Bus[];
beforeAll(async () => {
  world = await openWorld();
  const topology = { streams: [STREAMS.THROTTLE], consumers: [] };
  buses = await Promise.all([world.connectBus(topology), world.connectBus(topology)]);
});
afterAll(() => world?.[Symbol.asyncDispose]());

/** A clock that stands still: what a turn would have waited is the time at which it may be used. */
const frozen = () => {
  let time = 1_800_000_000_000;
  const clock = (waits: number[]): Clock => ({
    now: () => time,
    sleep: async (ms) => void waits.push(time + ms),
  });
  return {
    clock,
    start: time,
    pass: (ms: number) => {
      time += ms;
    },
  };
};

/** Takes turns one after another, and says at which times, in ms from the start, they may be used. */
const turnsOf = async (throttle: Throttle, count: number, waits: number[], start: number) => {
  const times: number[] = [];
  for (let turn = 0; turn < count; turn += 1) {
    const before = waits.length;
    await throttle.turn(forever);
    times.push(waits.length > before ? Math.round((waits.at(-1) ?? 0) - start) : 0);
  }
  return times;
};

describe('turns at Notion', () => {
  it('are ten at once, then three a second', async () => {
    const { clock, start } = frozen();
    const waits: number[] = [];
    const times = await turnsOf(localThrottle(RATE, clock(waits)), 13, waits, start);
    expect(times).toEqual([...Array(10).fill(0), 333, 667, 1_000]);
  });

  it('are shared by all workers that use one token', async () => {
    const { clock, start } = frozen();
    const workers = buses.map((bus) => {
      const waits: number[] = [];
      return { waits, throttle: natsThrottle(bus, 'shared', RATE, world.log, clock(waits)) };
    });
    const taken = await Promise.all(
      workers.map(({ throttle, waits }) => turnsOf(throttle, 20, waits, start)),
    );
    const times = taken.flat().sort((a, b) => a - b);
    expect(times.filter((ms) => ms === 0)).toHaveLength(10);
    expect(times.slice(10)).toEqual(
      Array.from({ length: 30 }, (_, turn) => Math.round(((turn + 1) * 1_000) / 3)),
    );
  });

  it('of one token are not those of another', async () => {
    const { clock, start } = frozen();
    const waits: number[] = [];
    for (const account of ['one', 'other'])
      expect(
        await turnsOf(
          natsThrottle(buses[0] as Bus, account, RATE, world.log, clock(waits)),
          10,
          waits,
          start,
        ),
      ).toEqual(Array(10).fill(0));
  });

  it('pause for everybody when Notion asks one for it, and then come evenly', async () => {
    const { clock, start, pass } = frozen();
    const [waits, others]: [number[], number[]] = [[], []];
    const asked = natsThrottle(buses[0] as Bus, 'paused', RATE, world.log, clock(waits));
    const other = natsThrottle(buses[1] as Bus, 'paused', RATE, world.log, clock(others));
    await asked.pause(20_000);
    expect(await turnsOf(other, 3, others, start)).toEqual([20_000, 20_333, 20_667]);
    pass(60_000);
    expect(await turnsOf(other, 10, others, start)).toEqual(Array(10).fill(0));
  });

  it('go on, by this worker alone, while the bus is away, and are shared again after it lost everything', async () => {
    const { clock, start } = frozen();
    const waits: number[] = [];
    const broken = {
      js: null,
      jsm: null,
      restore: () => Promise.reject(new Error('away')),
    } as unknown as Bus;
    const alone = natsThrottle(broken, 'alone', RATE, world.log, clock(waits));
    expect(await turnsOf(alone, 11, waits, start)).toEqual([...Array(10).fill(0), 333]);

    await (buses[0] as Bus).jsm.streams.delete(STREAMS.THROTTLE.name);
    const again = natsThrottle(buses[0] as Bus, 'again', RATE, world.log, clock(waits));
    expect(await turnsOf(again, 1, waits, start)).toEqual([0]);
    expect(
      await (buses[0] as Bus).jsm.streams.getMessage(STREAMS.THROTTLE.name, {
        last_by_subj: 'throttle.notion.again',
      }),
    ).not.toBeNull();
  });

  it('end with the work that waits for them', async () => {
    const throttle = localThrottle({ perSecond: 1, burst: 1 });
    await throttle.turn(forever);
    const stop = new AbortController();
    const waiting = throttle.turn(stop.signal);
    stop.abort();
    await expect(waiting).rejects.toThrow();
  });
});
