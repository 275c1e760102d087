import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumerMessages } from '@nats-io/jetstream';
import type { Bus } from './bus.ts';
import { deliver, type Handlers } from './delivery.ts';
import type { Log } from './log.ts';

const RESUBSCRIBE_MS = 250;

export type Consumption = {
  /** Takes no new message; resolves when those in hand are settled. */
  readonly stop: () => Promise<void>;
};

/** Whether the server has said that this subscription is dead and must be opened again. */
const isFatal = (type: string) =>
  type === 'consumer_not_found' ||
  type === 'stream_not_found' ||
  type === 'consumer_deleted' ||
  type === 'heartbeats_missed' ||
  type === 'no_responders';

/** Closes `messages` as soon as the server stops serving them. */
const closeWhenLost = async (messages: ConsumerMessages): Promise<void> => {
  for await (const status of messages.status()) {
    if (isFatal(status.type)) {
      messages.stop();
      return;
    }
  }
};

/**
 * Handles a durable consumer's messages, at most `concurrency` at a time and so in no strict order, until stopped.
 * A lost consumer or stream is put back and listened to again.
 */
export const consume = (
  bus: Bus,
  shape: { readonly stream: string; readonly durable: string },
  handlers: Handlers,
  { concurrency, log }: { concurrency: number; log: Log },
): Consumption => {
  const stopping = new AbortController();
  const inHand = new Set<Promise<void>>();
  let current: ConsumerMessages | null = null;

  const listen = async () => {
    const consumer = await bus.js.consumers.get(shape.stream, shape.durable);
    const messages = await consumer.consume({
      max_messages: concurrency,
      idle_heartbeat: 2_000,
      expires: 10_000,
    });
    current = messages;
    if (stopping.signal.aborted) messages.stop();
    void closeWhenLost(messages);
    for await (const msg of messages) {
      const work: Promise<void> = deliver(bus, msg, { durable: shape.durable, handlers, log }).finally(() =>
        inHand.delete(work),
      );
      inHand.add(work);
      if (inHand.size >= concurrency) await Promise.race(inHand);
      if (stopping.signal.aborted) break;
    }
  };

  const loop = (async () => {
    while (!stopping.signal.aborted) {
      try {
        await listen();
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.warn({ err: error, consumer: shape.durable }, 'consumer lost, listening again');
        await delay(RESUBSCRIBE_MS, null, { signal: stopping.signal }).catch(() => {});
        await bus.restore().catch((late: unknown) => log.warn({ err: late }, 'streams not restored yet'));
      }
    }
  })();

  return {
    stop: async () => {
      stopping.abort();
      current?.stop();
      await Promise.all(inHand);
      await Promise.race([loop, delay(1_000, null, { ref: false })]);
    },
  };
};
