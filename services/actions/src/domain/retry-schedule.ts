/**
 * How long to wait after each attempt that failed, in seconds: about a day in all, as Standard Webhooks recommends
 * (spec/standard-webhooks.md, "Deliverability and reliability"), so that a receiver may be down for a night.
 */
export const RETRY_DELAYS_S = [5, 300, 1_800, 7_200, 18_000, 28_800, 28_800] as const;

/** Waits are spread by this share to both sides: what failed together does not come back together. */
const JITTER = 0.2;
/** A receiver may ask for more time than planned, but not for ever. */
const MAX_RETRY_AFTER_MS = 86_400_000;

/** When to try again after `tries` attempts, in ms from now; null when it has been tried often enough. */
export const nextDelayMs = (
  tries: number,
  {
    delaysS,
    retryAfterMs = 0,
    random,
  }: {
    readonly delaysS: readonly number[];
    /** What the receiver asked for. */
    readonly retryAfterMs?: number;
    /** From 0 to 1. */
    readonly random: () => number;
  },
): number | null => {
  const delayS = delaysS[tries - 1];
  if (delayS === undefined) return null;
  const planned = delayS * 1_000 * (1 - JITTER + 2 * JITTER * random());
  return Math.round(Math.max(planned, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS)));
};
