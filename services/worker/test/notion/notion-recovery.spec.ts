import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parcelWithText } from '../../src/lesson/finding-examples.ts';
import type { Lesson } from '../../src/lesson/lesson.ts';
import type { PublishRequest } from '../../src/publisher/publisher.ts';
import type { Fault } from './notion-server.ts';
import { forever, type NotionWorld, openNotionWorld, parsed } from './notion-world.ts';

let world: NotionWorld;
beforeAll(async () => {
  world = await openNotionWorld();
});
afterAll(() => world?.[Symbol.asyncDispose]());
afterEach(() => {
  world.server.clearFaults();
  for (const { id } of world.server.livePages()) world.server.trash(String(id));
});

/** A page of several requests: a list too deep for the first one, and columns to be finished. */
const long: Lesson = parsed(
  parcelWithText(
    '- a\n  - b\n    - c\n      - d\n:::column-list\n:::column\nx\n- y\n  - z\n:::\n:::column\nw\n:::\n:::',
  ),
);

const publishAll = async (request: PublishRequest, signal = forever) => {
  const publisher = world.publisher();
  const page = await publisher.publish(request, null, signal);
  const sound = world.sound('narration');
  const withSound = await publisher.publish({ ...request, previous: page, isRepeat: true }, sound, signal);
  return withSound;
};

/** What a publish that nothing disturbs leaves, and in how many requests. */
const undisturbed = async (database: string) => {
  const from = world.server.requests.length;
  const page = await publishAll(world.request(long, { database }));
  const outline = world.server.outline(page.id);
  world.server.trash(page.id);
  return { outline, requests: world.server.requests.length - from };
};

const LOST: readonly (readonly [string, Fault])[] = [
  ['the connection breaks after the work', { kind: 'reset', lose: true }],
  ['a gateway answers 504 before the work', { kind: 'status', status: 504 }],
  ['Notion is overloaded', { kind: 'status', status: 529, retryAfter: 2 }],
];

const requestsWith = async (
  databaseId: string,
  disturb: (nth: number) => (request: PublishRequest) => Promise<{ readonly id: string }>,
) => {
  const { outline, requests } = await undisturbed(databaseId);
  expect(requests).toBeGreaterThan(8);
  for (let nth = 0; nth < requests; nth += 1) {
    const { id } = await disturb(nth)(world.request(long, { database: databaseId }));
    const pages = world.server.livePages().map((page) => page.id);
    expect(pages, `after request ${nth}`).toEqual([id]);
    expect(world.server.outline(id), `after request ${nth}`).toEqual(outline);
    world.server.trash(id);
  }
};

/** Many publishes each, on a machine that may be busy. */
const PATIENCE_MS = 90_000;

describe.each([
  ['a database with a property Lesson ID', () => world.database.id, LOST],
  ['any other database', () => world.bare.id, LOST.slice(0, 1)],
])('one page, and all of it, in %s', (_, databaseOf, faults) => {
  it.each(faults)(
    'whichever request of a publish goes wrong: %s',
    (_what, fault) =>
      requestsWith(databaseOf(), (nth) => (request) => {
        world.server.failAt(nth, fault);
        return publishAll(request);
      }),
    PATIENCE_MS,
  );

  it(
    'whichever request is the last of an attempt, once there is another',
    () =>
      requestsWith(databaseOf(), (nth) => async (request) => {
        const stop = new AbortController();
        world.server.onRequest(nth, () => stop.abort());
        await expect(publishAll(request, stop.signal)).rejects.toThrow();
        return publishAll({ ...request, isRepeat: true });
      }),
    PATIENCE_MS,
  );
});

describe('without a property Lesson ID', () => {
  const database = () => world.bare.id;
  const find = (from: number) => world.server.requests.slice(from).filter(({ path }) => /query$/.test(path));

  it('a page of the same title is left alone when a teacher made it, or another lesson', async () => {
    const title = [{ text: { content: long.meta.title } }];
    const byHand = world.server.givenPage(world.bare.sourceId, { Name: { title } });
    const other = await publishAll(world.request(long, { database: database() }));
    const from = world.server.requests.length;
    const page = await publishAll(world.request(long, { database: database(), isRepeat: true }));
    expect(find(from)).toHaveLength(1);
    expect(new Set([byHand, other.id, page.id]).size).toBe(3);
    expect(world.server.outline(byHand)).toEqual([]);
  });
});

describe('a request that goes wrong again and again', () => {
  const tries = async (fault: Fault, path = /pages$/) => {
    world.server.fail(fault, { path, times: 1_000 });
    const from = world.server.requests.length;
    const error = await world
      .publisher()
      .publish(world.request(long), null, forever)
      .catch((thrown: unknown) => thrown);
    return { error, count: world.server.requests.slice(from).filter((seen) => path.test(seen.path)).length };
  };

  it('is made five times, and the job may be tried later', async () => {
    const { error, count } = await tries({ kind: 'status', status: 529 });
    expect(count).toBe(5);
    expect(error).toMatchObject({ code: 'notion_unavailable', retryable: true });
  });

  it('is made once when Notion wants a longer pause than is worth waiting for', async () => {
    const { error, count } = await tries({ kind: 'status', status: 429, retryAfter: 600 });
    expect(count).toBe(1);
    expect(error).toMatchObject({ code: 'notion_rate_limited', retryable: true, retryAfterMs: 600_000 });
  });

  it('is looked after five times when nobody answers, and makes no page', async () => {
    const { error } = await tries({ kind: 'reset' });
    expect(error).toMatchObject({ code: 'notion_unavailable', retryable: true });
    expect(world.server.livePages()).toEqual([]);
  });

  it('waits as long as it is told, and else ever longer', async () => {
    world.slept.length = 0;
    world.server.fail({ kind: 'status', status: 429, retryAfter: 7 }, { path: /pages$/ });
    await world.publisher().publish(world.request(long), null, forever);
    expect(world.slept.some((ms) => ms >= 7_000)).toBe(true);
    world.slept.length = 0;
    world.server.fail({ kind: 'status', status: 409 }, { path: /pages$/, times: 4 });
    await world.publisher().publish(world.request(long), null, forever);
    const waits = world.slept.filter((ms) => ms >= 350);
    expect(waits).toHaveLength(4);
    for (const [index, ms] of waits.entries()) {
      expect(ms).toBeGreaterThanOrEqual(350 * 2 ** index);
      expect(ms).toBeLessThan(350 * 2 ** index + 120);
    }
  });

  it('is given up when it takes too long', async () => {
    world.server.fail({ kind: 'slow', ms: 400 }, { path: /databases/, times: 1 });
    const page = await world.publisher({ timeoutMs: 150 }).publish(world.request(long), null, forever);
    expect(world.server.livePages()).toHaveLength(1);
    expect(page.url).toContain('https://');
  });
});
