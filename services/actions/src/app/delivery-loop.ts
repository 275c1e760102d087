import type { Log } from '@esl/kit/log';
import type { Claimed, DeliveryStore } from './webhook-needs.ts';

export type DeliveryLoop = {
  /** Something may be due. */
  readonly wake: () => void;
  /** Claims nothing more, and resolves when what is in hand is settled or, after `graceMs`, given back. */
  readonly stop: (graceMs: number) => Promise<void>;
};

/**
 * Claims what is due and has it attempted, so many at a time in all and for one webhook: a receiver that answers
 * slowly holds up its own events only. Several processes may do so at once.
 */
export const runDeliveryLoop = (settings: {
  readonly claim: DeliveryStore['claim'];
  readonly attempt: (claimed: Claimed, signal: AbortSignal) => Promise<void>;
  readonly atOnce: number;
  readonly atOnceForOne: number;
  /** Longer than an attempt can take. */
  readonly claimMs: number;
  /** How often to look without being woken: other processes wake nobody here. */
  readonly pollMs: number;
  readonly clock: () => Date;
  readonly log: Log;
}): DeliveryLoop => {
  const { claim, attempt, atOnce, atOnceForOne, claimMs, clock, log } = settings;
  const inHand = new Set<Promise<void>>();
  const busy = new Map<string, number>();
  const handBack = new AbortController();
  let stopping = false;
  let looking: Promise<void> | null = null;
  let lookAgain = false;

  const mayClaim = () => !stopping && inHand.size < atOnce;

  const start = (claimed: Claimed) => {
    const { webhookId } = claimed;
    busy.set(webhookId, (busy.get(webhookId) ?? 0) + 1);
    const work: Promise<void> = attempt(claimed, handBack.signal)
      .catch((error: unknown) =>
        log.error({ err: error, webhookId, deliveryId: claimed.id }, 'delivery not settled'),
      )
      .finally(() => {
        inHand.delete(work);
        const left = (busy.get(webhookId) ?? 1) - 1;
        if (left > 0) busy.set(webhookId, left);
        else busy.delete(webhookId);
        wake();
      });
    inHand.add(work);
  };

  const look = async () => {
    do {
      lookAgain = false;
      while (mayClaim()) {
        const full = [...busy].filter(([, count]) => count >= atOnceForOne).map(([id]) => id);
        const claimed = await claim(clock(), claimMs, full);
        if (!claimed) break;
        start(claimed);
      }
    } while (lookAgain && mayClaim());
  };

  const wake = () => {
    lookAgain = true;
    if (looking || !mayClaim()) return;
    looking = look()
      .catch((error: unknown) => log.warn({ err: error }, 'deliveries cannot be claimed now'))
      .finally(() => {
        looking = null;
        if (lookAgain && mayClaim()) wake();
      });
  };

  const timer = setInterval(wake, settings.pollMs);
  wake();

  return {
    wake,
    stop: async (graceMs) => {
      stopping = true;
      clearInterval(timer);
      const late = setTimeout(() => handBack.abort(new Error('stopping')), graceMs);
      await looking;
      await Promise.all(inHand);
      clearTimeout(late);
    },
  };
};
