import type { Bus } from '@esl/kit/bus';
import type { Log } from '@esl/kit/log';
import { changeShared } from '@esl/kit/shared-value';
import { STREAMS } from '@esl-pipeline/contracts/bus';
import { z } from 'zod';
import {
  type Bucket,
  type Clock,
  EMPTY_BUCKET,
  localThrottle,
  pauseUntil,
  type Rate,
  systemClock,
  type Throttle,
  take,
} from '../publisher/notion/throttle.ts';

/** How long a bus that did not answer is not asked again, in ms: each question may take seconds. */
const ALONE_MS = 15_000;

const storedBucket = z.object({ fullAt: z.number(), pausedUntil: z.number() });

const bucketOf = (text: string | null): Bucket => {
  try {
    return storedBucket.parse(JSON.parse(text ?? ''));
  } catch {
    return EMPTY_BUCKET;
  }
};

/**
 * Turns at Notion shared by all workers. `account` names whose turns they are and is part of a subject: a fingerprint
 * of the token, never the token. Without the bus the worker keeps the rate by itself: then several may be too fast
 * together, and Notion still says so.
 */
export const natsThrottle = (
  bus: Pick<Bus, 'js' | 'jsm' | 'restore'>,
  account: string,
  rate: Rate,
  log: Pick<Log, 'warn'>,
  clock: Clock = systemClock,
): Throttle => {
  const place = { stream: STREAMS.THROTTLE.name, subject: `throttle.notion.${account}` };
  const alone = localThrottle(rate, clock);
  let aloneUntil = 0;

  const change = async <T>(next: (bucket: Bucket) => { bucket: Bucket; result: T }): Promise<T | null> => {
    if (clock.now() < aloneUntil) return null;
    try {
      return await changeShared(bus, place, (last) => {
        const { bucket, result } = next(bucketOf(last));
        return { next: JSON.stringify(bucket), result };
      });
    } catch (error) {
      aloneUntil = clock.now() + ALONE_MS;
      log.warn({ err: error }, 'turns at Notion are not shared for now');
      return null;
    }
  };

  return {
    turn: async (signal) => {
      signal.throwIfAborted();
      const at = await change((bucket) => {
        const taken = take(bucket, clock.now(), rate);
        return { bucket: taken.bucket, result: taken.at };
      });
      if (at === null) return alone.turn(signal);
      const waitMs = at - clock.now();
      if (waitMs > 0) await clock.sleep(waitMs, signal);
    },
    pause: async (ms) => {
      const until = clock.now() + ms;
      await Promise.all([
        alone.pause(ms),
        change((bucket) => ({ bucket: pauseUntil(bucket, until, rate), result: true })),
      ]);
    },
  };
};
