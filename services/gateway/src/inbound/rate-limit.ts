import type { Limit, RateLimits } from '../accounts/needs.ts';
import { tooOften } from '../app/too-often.ts';
import type { Principal } from './principal.ts';
import { refused } from './problem.ts';
import type { Counted } from './route.ts';

/** Counts calls by what they do and who does it. What has no limit is not counted. */
export const callCounter =
  (limits: RateLimits | null, each: Readonly<Record<Counted, Limit | null>>) =>
  async (what: Counted, { ownerId }: Principal): Promise<void> => {
    const limit = each[what];
    if (!limits || !limit) return;
    const waitMs = await limits.take(`${what}:${ownerId}`, limit);
    if (waitMs > 0) throw refused(tooOften(waitMs, `Too many ${what}s.`).refusal);
  };
