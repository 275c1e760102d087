import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import type { JsMsg } from '@nats-io/jetstream';
import { headers } from '@nats-io/nats-core';
import type { Bus } from './bus.ts';
import type { Log } from './log.ts';
import { messageContext } from './message-context.ts';
import { counter, longSeconds } from './metrics.ts';
import { type Channel, SCHEMA_HEADER } from './publish.ts';
import { withContext } from './request-context.ts';
import { inSpan, type Span, type SpanSpec } from './tracing.ts';

/** What becomes of a delivered message: done, tried again later, or put into DEAD with the reason. */
export type Verdict =
  | { readonly kind: 'ack' }
  | { readonly kind: 'retry'; readonly afterMs: number }
  | { readonly kind: 'give_up'; readonly reason: string };

export const ack: Verdict = { kind: 'ack' };
export const retry = (afterMs: number): Verdict => ({ kind: 'retry', afterMs });
export const giveUp = (reason: string): Verdict => ({ kind: 'give_up', reason });

/** A delivered message, as far as handling and settling it goes. */
export type Received = Pick<
  JsMsg,
  'subject' | 'data' | 'headers' | 'seq' | 'timestampNanos' | 'ack' | 'nak' | 'term' | 'working'
> & { readonly info: { readonly stream: string; readonly deliveryCount: number } };

export type Delivery = {
  readonly subject: string;
  /** 1 for the first time. */
  readonly deliveries: number;
  /** Tells the server that the message is still being worked on. */
  readonly working: () => void;
};

type Handle<M> = (message: M, delivery: Delivery) => Promise<Verdict>;

/** Which messages a consumer understands, by their full protobuf name. */
export type Handlers = ReadonlyMap<string, (payload: Uint8Array, delivery: Delivery) => Promise<Verdict>>;

export const on = <Desc extends DescMessage>(
  channel: Channel<Desc>,
  handle: Handle<MessageShape<Desc>>,
): readonly [string, (payload: Uint8Array, delivery: Delivery) => Promise<Verdict>] => [
  channel.schema.typeName,
  (payload, delivery) => {
    let message: MessageShape<Desc>;
    try {
      message = fromBinary(channel.schema, payload);
    } catch (error) {
      return Promise.resolve(
        giveUp(`undecodable: ${error instanceof Error ? error.message : String(error)}`),
      );
    }
    return handle(message, delivery);
  },
];

/** A handler that throws is tried again this often, with backoff, before its message goes to DEAD. */
const MAX_FAULTS = 50;
const FAULT_BACKOFF_MS = 250;
const MAX_FAULT_BACKOFF_MS = 30_000;

const handled = counter('esl_messages_handled_total', 'Delivered messages by verdict', [
  'consumer',
  'verdict',
]);

const took = longSeconds('esl_message_seconds', 'Time to handle a delivered message', ['consumer']);
const redelivered = counter('esl_messages_redelivered_total', 'Deliveries after the first', ['consumer']);

/** The last token of a subject is an id: spans are named without it. */
const templateOf = (subject: string) => subject.replace(/[^.]+$/, '*');

/**
 * Each delivery is a span of the trace that the message came from. A later one is linked to the publishing as well:
 * between the two lie other deliveries, which is what someone who reads the trace then looks for.
 */
const spanOf = (msg: Received, durable: string, publishedBy: string | undefined): SpanSpec => {
  const template = templateOf(msg.subject);
  const isAgain = msg.info.deliveryCount > 1;
  return {
    name: `process ${template}`,
    kind: 'consumer',
    attributes: {
      'messaging.system.name': 'nats',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.destination.name': msg.info.stream,
      'messaging.destination.template': template,
      'messaging.consumer.group.name': durable,
      'esl.message.deliveries': msg.info.deliveryCount,
    },
    ...(isAgain && publishedBy && { links: [publishedBy] }),
  };
};

/** Copies a message to DEAD, with where it came from and why; the copy's id makes a repeat harmless. */
const bury = async (bus: Bus, msg: Received, durable: string, reason: string): Promise<void> => {
  const described = headers();
  for (const key of msg.headers?.keys() ?? []) {
    if (!key.startsWith('Nats-'))
      for (const value of msg.headers?.values(key) ?? []) described.append(key, value);
  }
  described.set('Esl-Dead-Reason', reason.replaceAll(/[\r\n]+/g, ' ').slice(0, 1_000));
  described.set('Esl-Dead-Consumer', durable);
  described.set('Esl-Dead-Subject', msg.subject);
  await bus.js.publish(`dead.${msg.subject}`, msg.data, {
    headers: described,
    msgID: `dead:${msg.info.stream}:${msg.timestampNanos}:${msg.seq}`,
  });
  msg.term(reason);
};

const settle = async (bus: Bus, msg: Received, durable: string, verdict: Verdict): Promise<void> => {
  handled.inc({ consumer: durable, verdict: verdict.kind });
  if (verdict.kind === 'ack') msg.ack();
  else if (verdict.kind === 'retry') msg.nak(verdict.afterMs);
  else await bury(bus, msg, durable, verdict.reason);
};

/** Handles one message to its verdict. Never rejects: a fault is logged and the message tried again. */
export const deliver = (
  bus: Bus,
  msg: Received,
  { durable, handlers, log }: { durable: string; handlers: Handlers; log: Log },
): Promise<void> => {
  const name = msg.headers?.get(SCHEMA_HEADER) ?? '';
  const deliveries = msg.info.deliveryCount;
  const context = messageContext(msg.headers);
  const work = async (span: Pick<Span, 'set'>): Promise<Verdict> => {
    const handle = handlers.get(name);
    const verdict = handle
      ? await handle(msg.data, { subject: msg.subject, deliveries, working: () => msg.working() })
      : giveUp(name ? `unknown message ${name}` : 'no schema header');
    span.set({ 'esl.message.verdict': verdict.kind });
    return verdict;
  };
  const run = async () => {
    if (deliveries > 1) redelivered.inc({ consumer: durable });
    const end = took.startTimer({ consumer: durable });
    try {
      const verdict = await inSpan(spanOf(msg, durable, context.traceparent), work);
      if (verdict.kind === 'give_up') {
        log.error({ subject: msg.subject, consumer: durable, reason: verdict.reason }, 'message given up');
      }
      await settle(bus, msg, durable, verdict);
    } catch (error) {
      log.error(
        { err: error, subject: msg.subject, consumer: durable, deliveries },
        'message handler failed',
      );
      const verdict =
        deliveries >= MAX_FAULTS
          ? giveUp(`failed ${deliveries} times: ${error instanceof Error ? error.message : String(error)}`)
          : retry(Math.min(FAULT_BACKOFF_MS * 2 ** Math.min(deliveries, 10), MAX_FAULT_BACKOFF_MS));
      await settle(bus, msg, durable, verdict).catch((late: unknown) =>
        log.warn(
          { err: late, subject: msg.subject },
          'could not settle a message; the server will redeliver it',
        ),
      );
    } finally {
      end();
    }
  };
  return withContext(context, run);
};
