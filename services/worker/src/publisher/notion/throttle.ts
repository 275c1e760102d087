import { setTimeout as delay } from 'node:timers/promises';

/** Requests a token may make: `burst` at once, then `perSecond`. */
export type Rate = { readonly perSecond: number; readonly burst: number };

/** Whose turn it is to call Notion. */
export type Throttle = {
  /** Resolves when the caller may send one request. */
  readonly turn: (signal: AbortSignal) => Promise<void>;
  /** Nobody who shares this throttle sends anything for so long: Notion has asked for it. */
  readonly pause: (ms: number) => Promise<void>;
};

/**
 * A token bucket as one number, the time at which it will be full again (the generic cell rate algorithm): small
 * enough to be shared, and a turn taken by somebody who then dies costs one turn. Times are in ms of the wall clock.
 */
export type Bucket = { readonly fullAt: number; readonly pausedUntil: number };

export const EMPTY_BUCKET: Bucket = { fullAt: 0, pausedUntil: 0 };

/** Takes a turn: what the bucket is then, and when the turn may be used. */
export const take = (
  bucket: Bucket,
  now: number,
  { perSecond, burst }: Rate,
): { bucket: Bucket; at: number } => {
  const every = 1_000 / perSecond;
  const from = Math.max(now, bucket.pausedUntil);
  const fullAt = Math.max(bucket.fullAt, from) + every;
  return { bucket: { ...bucket, fullAt }, at: Math.max(from, fullAt - burst * every) };
};

/** What was saved up is gone: after a pause requests come evenly, since a burst would only bring the next pause. */
export const pauseUntil = (bucket: Bucket, until: number, { perSecond, burst }: Rate): Bucket => ({
  pausedUntil: Math.max(bucket.pausedUntil, until),
  fullAt: Math.max(bucket.fullAt, until + ((burst - 1) * 1_000) / perSecond),
});

export type Clock = {
  readonly now: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
};

export const systemClock: Clock = {
  now: Date.now,
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
};

/** A throttle of this process alone. */
export const localThrottle = (rate: Rate, clock: Clock = systemClock): Throttle => {
  let bucket = EMPTY_BUCKET;
  return {
    turn: async (signal) => {
      const now = clock.now();
      const taken = take(bucket, now, rate);
      bucket = taken.bucket;
      if (taken.at > now) await clock.sleep(taken.at - now, signal);
    },
    pause: async (ms) => {
      bucket = pauseUntil(bucket, clock.now() + ms, rate);
    },
  };
};
