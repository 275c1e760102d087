import { setTimeout as delay } from 'node:timers/promises';
import {
  type ConsumerMessages,
  DeliverPolicy,
  JetStreamError,
  type JsMsg,
  type StoredMsg,
} from '@nats-io/jetstream';
import type { Bus } from './bus.ts';
import type { Log } from './log.ts';

/**
 * What a tail sees. `reset` comes first and whenever the stream was made anew, or has lost its latest messages:
 * sequences are given again, and what was known before can no longer be replayed. `epoch` names one life of the stream.
 */
export type TailItem =
  | { readonly kind: 'reset'; readonly epoch: string; readonly lastSeq: number }
  | { readonly kind: 'message'; readonly message: JsMsg };

const RETRY_MS = 250;

/** Names one life of a stream: the time it was created, in base 36. */
const epochOf = (created: string): string => Date.parse(created).toString(36);

export const streamPosition = async (bus: Bus, stream: string) => {
  const info = await bus.jsm.streams.info(stream);
  return { epoch: epochOf(info.created), firstSeq: info.state.first_seq, lastSeq: info.state.last_seq };
};

/** Follows a stream of facts from now on, in order, without gap through reconnects, until the signal fires. */
export async function* tail(
  bus: Bus,
  stream: string,
  log: Log,
  signal: AbortSignal,
): AsyncGenerator<TailItem> {
  let epoch = '';
  let nextSeq = 1;
  while (!signal.aborted) {
    let messages: ConsumerMessages | null = null;
    const close = () => messages?.stop();
    signal.addEventListener('abort', close, { once: true });
    try {
      const position = await streamPosition(bus, stream);
      if (position.epoch !== epoch || position.lastSeq < nextSeq - 1) {
        epoch = position.epoch;
        nextSeq = position.lastSeq + 1;
        yield { kind: 'reset', epoch, lastSeq: position.lastSeq };
      }
      const consumer = await bus.js.consumers.get(stream, {
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: nextSeq,
      });
      messages = await consumer.consume({ max_messages: 500, idle_heartbeat: 1_000, expires: 10_000 });
      void stopOnTrouble(bus, messages);
      if (signal.aborted) return;
      for await (const message of messages) {
        nextSeq = message.seq + 1;
        yield { kind: 'message', message };
        if (signal.aborted) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error, stream }, 'tail lost, following again');
      await delay(RETRY_MS, null, { signal }).catch(() => {});
      await bus.restore().catch((late: unknown) => log.warn({ err: late }, 'streams not restored yet'));
    } finally {
      signal.removeEventListener('abort', close);
      messages?.stop();
    }
  }
}

/** Ends the iteration when the server may have forgotten the consumer, so that the stream's epoch is checked again. */
const stopOnTrouble = async (bus: Bus, messages: ConsumerMessages): Promise<void> => {
  const forget = bus.onReconnect(() => messages.stop());
  for await (const { type } of messages.status()) {
    if (type === 'heartbeats_missed' || type.endsWith('_not_found') || type.endsWith('_deleted')) break;
  }
  forget();
  messages.stop();
};

/** The server's answer when it stores nothing from the sequence on. */
const isEndOfStream = (error: unknown) =>
  error instanceof JetStreamError && (error as { code?: number }).code === 404;

/** Stored messages from `fromSeq` to `toSeq`, both inclusive, read in batches. */
export async function* replay(
  bus: Bus,
  stream: string,
  { fromSeq, toSeq }: { fromSeq: number; toSeq: number },
  signal: AbortSignal,
): AsyncGenerator<StoredMsg> {
  let next = fromSeq;
  while (next <= toSeq && !signal.aborted) {
    const batch = await bus.jsm.direct.getBatch(stream, {
      seq: next,
      batch: Math.min(256, toSeq - next + 1),
    });
    let seen = 0;
    try {
      for await (const message of batch) {
        if (message.seq > toSeq) return;
        seen += 1;
        next = message.seq + 1;
        yield message;
      }
    } catch (error) {
      if (!isEndOfStream(error)) throw error;
    }
    if (seen === 0) return;
  }
}
