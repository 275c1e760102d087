import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { JetStreamApiError } from '@nats-io/jetstream';
import { headers, type MsgHdrs, RequestError } from '@nats-io/nats-core';
import type { Bus } from './bus.ts';
import { writeMessageContext } from './message-context.ts';
import { seconds } from './metrics.ts';
import { inSpan, type SpanSpec } from './tracing.ts';

/** Header that names the payload's protobuf message. */
export const SCHEMA_HEADER = 'Esl-Schema';

/** Where one kind of message goes. Without a stream it is not stored. */
export type Channel<Desc extends DescMessage = DescMessage> = {
  readonly subject: (id: string) => string;
  readonly schema: Desc;
  readonly stream?: string;
};

/** JetStream's err_code for a subject that already holds its one message (server: JSMaximumMessagesPerSubject). */
const MAX_MESSAGES_PER_SUBJECT = 10_077;

const describe = (schema: DescMessage): MsgHdrs => {
  const described = headers();
  described.set(SCHEMA_HEADER, schema.typeName);
  writeMessageContext(described);
  return described;
};

/** Nobody listened on the subject: no stream covers it now. */
const isStreamMissing = (error: unknown): boolean =>
  (error instanceof Error && error.cause instanceof RequestError && error.cause.isNoResponders()) ||
  (error instanceof RequestError && error.isNoResponders()) ||
  (error instanceof JetStreamApiError && error.status === 404);

const sent = seconds('esl_publish_seconds', 'Time until JetStream had stored a message', [
  'stream',
  'result',
]);

type Stored = 'stored' | 'duplicate';

const store = async (
  bus: Bus,
  channel: Channel,
  id: string,
  payload: Uint8Array,
  { msgId }: { readonly msgId?: string },
): Promise<Stored> => {
  const send = async () => {
    const ack = await bus.js.publish(channel.subject(id), payload, {
      headers: describe(channel.schema),
      retries: 0,
      ...(msgId && { msgID: msgId }),
    });
    return ack.duplicate ? 'duplicate' : 'stored';
  };
  try {
    return await send();
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === MAX_MESSAGES_PER_SUBJECT) return 'duplicate';
    if (!isStreamMissing(error)) throw error;
    await bus.restore();
    return await send();
  }
};

const spanOf = (channel: Channel, msgId: string | undefined): SpanSpec => {
  const template = channel.subject('*');
  return {
    name: `publish ${template}`,
    kind: 'producer',
    attributes: {
      'messaging.system.name': 'nats',
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'publish',
      'messaging.destination.name': channel.stream ?? template,
      'messaging.destination.template': template,
      ...(msgId && { 'messaging.message.id': msgId }),
    },
  };
};

/**
 * Stores a message and resolves when JetStream has acknowledged it: `stored`, or `duplicate` when the message id was
 * seen within the stream's window or the subject still holds its one message. A stream that is gone is put back first.
 */
export const publishBytes = (
  bus: Bus,
  channel: Channel,
  id: string,
  payload: Uint8Array,
  options: { readonly msgId?: string } = {},
): Promise<Stored> =>
  inSpan(spanOf(channel, options.msgId), async (span) => {
    const end = sent.startTimer({ stream: channel.stream ?? 'none' });
    try {
      const result = await store(bus, channel, id, payload, options);
      end({ result });
      if (result === 'duplicate') span.set({ 'esl.duplicate': true });
      return result;
    } catch (error) {
      end({ result: 'failed' });
      throw error;
    }
  });

export const publish = <Desc extends DescMessage>(
  bus: Bus,
  channel: Channel<Desc>,
  id: string,
  message: MessageInitShape<Desc>,
  options: { readonly msgId?: string } = {},
): Promise<Stored> =>
  publishBytes(bus, channel, id, toBinary(channel.schema, create(channel.schema, message)), options);

/** Sends a message that is not stored: whoever listens now hears it. */
export const announce = <Desc extends DescMessage>(
  bus: Bus,
  channel: Channel<Desc>,
  id: string,
  message: MessageInitShape<Desc>,
): void => {
  bus.nc.publish(channel.subject(id), toBinary(channel.schema, create(channel.schema, message)), {
    headers: describe(channel.schema),
  });
};
