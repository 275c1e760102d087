/** Attempts a job gets when its errors may pass by themselves. */
export const MAX_ATTEMPTS = 5;

const FIRST_MS = 1_000;
const MAX_MS = 60_000;
/** No service may hold a job back for longer than this, whatever its Retry-After says. */
const MAX_RETRY_AFTER_MS = 15 * 60_000;

/**
 * How long to wait after the given failed attempt (from 1), in ms: doubling with full jitter in its upper half, but
 * never less than what the failing service asked for. `random` is in [0, 1).
 */
export const backoffMs = (failedAttempts: number, retryAfterMs: number, random: number): number => {
  const ceiling = Math.min(FIRST_MS * 2 ** (failedAttempts - 1), MAX_MS);
  const wait = ceiling / 2 + (ceiling / 2) * random;
  return Math.round(Math.max(wait, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS)));
};
