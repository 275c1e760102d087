// Takes work from the queues, never more than there are slots for.
//   I1. A queue that may hold something is asked for one message at a time, in weighted turns.
//   I2. A queue that was found empty gets one long request, which answers as soon as something comes.
//   I3. A long request may answer when all slots have been taken meanwhile: that message goes straight back, for
//       another worker, or for this one's next free slot.

import { setTimeout as delay } from 'node:timers/promises';
import type { Bus } from '@esl/kit/bus';
import { deliver, type Handlers, type Received } from '@esl/kit/delivery';
import type { Log } from '@esl/kit/log';
import { pullOne } from '@esl/kit/pull';
import { CONSUMERS } from '@esl-pipeline/contracts/bus';
import { weightedTurns } from './turns.ts';

const QUEUES = [
  { ...CONSUMERS.workHigh, weight: 6 },
  { ...CONSUMERS.workRefresh, weight: 3 },
  { ...CONSUMERS.workNormal, weight: 3 },
  { ...CONSUMERS.workLow, weight: 1 },
  { ...CONSUMERS.workPurge, weight: 1 },
] as const;

type Queue = (typeof QUEUES)[number];

const WAIT_MS = 5_000;
const LOST_MS = 250;

export type Intake = {
  /** Takes no new message. */
  readonly stop: () => Promise<void>;
  /** Resolves when everything taken is settled. */
  readonly idle: () => Promise<void>;
};

export const takeWork = (
  bus: Bus,
  handlers: Handlers,
  { concurrency, log }: { readonly concurrency: number; readonly log: Log },
): Intake => {
  const stopping = new AbortController();
  const inHand = new Set<Promise<void>>();
  /** Queues with a long request under way. */
  const waiting = new Map<Queue, symbol>();
  const turns = weightedTurns<Queue>(QUEUES);
  let changed = Promise.withResolvers<void>();
  const wake = () => changed.resolve();

  const start = (queue: Queue, message: Received) => {
    const work: Promise<void> = deliver(bus, message, { durable: queue.durable, handlers, log }).finally(
      () => {
        inHand.delete(work);
        wake();
      },
    );
    inHand.add(work);
  };

  const isFree = () => inHand.size < concurrency && !stopping.signal.aborted;

  const recover = async (error: unknown) => {
    if (stopping.signal.aborted) return;
    log.warn({ err: error }, 'work queue lost, asking again');
    await delay(LOST_MS, null, { signal: stopping.signal }).catch(() => {});
    await bus.restore().catch((late: unknown) => log.warn({ err: late }, 'streams not restored yet'));
  };

  const waitFor = async (queue: Queue) => {
    const request = Symbol(queue.durable);
    waiting.set(queue, request);
    try {
      const message = await pullOne(bus, queue, WAIT_MS);
      if (message && isFree()) start(queue, message);
      else message?.nak();
    } catch (error) {
      await recover(error);
    } finally {
      if (waiting.get(queue) === request) waiting.delete(queue);
      wake();
    }
  };

  // A server that restarted has forgotten the long requests.
  const forgetReconnects = bus.onReconnect(() => {
    waiting.clear();
    wake();
  });

  const loop = (async () => {
    while (!stopping.signal.aborted) {
      const queue = isFree() ? turns.next((each) => !waiting.has(each)) : null;
      if (!queue) {
        await changed.promise;
        changed = Promise.withResolvers<void>();
        continue;
      }
      try {
        const message = await pullOne(bus, queue, 0);
        if (!message) void waitFor(queue);
        else if (isFree()) start(queue, message);
        else message.nak();
      } catch (error) {
        await recover(error);
      }
    }
  })();

  return {
    stop: async () => {
      stopping.abort();
      forgetReconnects();
      wake();
      await loop;
    },
    idle: async () => {
      await Promise.all(inHand);
    },
  };
};
