import { type Msg, nanos, RequestError, TimeoutError } from '@nats-io/nats-core';
import type { Bus } from './bus.ts';
import type { Received } from './delivery.ts';

/** The server does not serve this consumer now: it is away, or has lost the consumer or its stream. */
export class ConsumerLost extends Error {
  override name = 'ConsumerLost';
}

/**
 * A message as it answers a pull. Its reply subject says where it is from (NATS ADR-15):
 * `$JS.ACK.[domain.account.]stream.consumer.deliveries.streamSeq.consumerSeq.nanos.pending[.token]`.
 */
const received = (msg: Msg): Received => {
  const tokens = (msg.reply ?? '').split('.').slice(2);
  const [stream = '', , deliveries, seq, , timestampNanos] = tokens.length > 7 ? tokens.slice(2) : tokens;
  return {
    subject: msg.subject,
    data: msg.data,
    headers: msg.headers,
    seq: Number(seq),
    timestampNanos: BigInt(timestampNanos ?? 0),
    info: { stream, deliveryCount: Number(deliveries) },
    ack: () => void msg.respond('+ACK'),
    nak: (afterMs) => void msg.respond(afterMs ? `-NAK {"delay":${nanos(afterMs)}}` : '-NAK'),
    term: (reason = '') => void msg.respond(`+TERM ${reason}`),
    working: () => void msg.respond('+WPI'),
  };
};

/** How long an answer may take beyond the time the server itself waits, in ms. */
const MARGIN_MS = 2_000;

const NO_MESSAGE = new Set([404, 408]);

/**
 * Asks a durable consumer for one message. `waitMs` is how long the server keeps the request while there is none; 0
 * answers at once. A request is never withdrawn: a message sent to someone who has left would lie idle until the
 * consumer's ack wait is over. Throws ConsumerLost.
 */
export const pullOne = async (
  bus: Bus,
  { stream, durable }: { readonly stream: string; readonly durable: string },
  waitMs: number,
): Promise<Received | null> => {
  const ask = waitMs > 0 ? { batch: 1, expires: nanos(waitMs) } : { batch: 1, no_wait: true };
  try {
    const answer = await bus.nc.request(
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
      JSON.stringify(ask),
      { timeout: waitMs + MARGIN_MS, noMux: true },
    );
    const status = answer.headers?.code ?? 0;
    if (status === 0) return received(answer);
    if (NO_MESSAGE.has(status)) return null;
    throw new ConsumerLost(`${durable}: ${status} ${answer.headers?.description ?? ''}`);
  } catch (error) {
    if (error instanceof RequestError || error instanceof TimeoutError)
      throw new ConsumerLost(`${durable}: no answer`, { cause: error });
    throw error;
  }
};
