import type { Bus } from '@esl/kit/bus';
import { coalesce } from '@esl/kit/coalesce';
import type { Log } from '@esl/kit/log';
import { messageContext } from '@esl/kit/message-context';
import { replay, streamPosition, type TailItem, tail } from '@esl/kit/tail';
import { isRecording, startSpan } from '@esl/kit/tracing';
import { STREAMS } from '@esl-pipeline/contracts/bus';
import type { StoredMessage } from '../sse/event.ts';
import type { Hub, StreamPast } from '../sse/hub.ts';

const STREAM = STREAMS.JOBS.name;

/** When many clients come back at once, this many of their reads are under way together; the others wait. */
const READS_AT_ONCE = 8;

type Read = { readonly fromSeq: number; readonly toSeq: number; readonly signal: AbortSignal };

export const jobStreamPast = (bus: Bus): StreamPast => {
  const readOne = async ({ signal, ...range }: Read): Promise<StoredMessage[]> => {
    const messages: StoredMessage[] = [];
    for await (const message of replay(bus, STREAM, range, signal)) messages.push(message);
    return messages;
  };
  const fewAtOnce = coalesce(async (reads: readonly Read[]) => await Promise.all(reads.map(readOne)), {
    maxItems: 1,
    inFlight: READS_AT_ONCE,
  });
  return {
    read: (range, signal) => fewAtOnce({ ...range, signal }),
    lastSeq: async () => (await streamPosition(bus, STREAM)).lastSeq,
  };
};

type Message = Extract<TailItem, { kind: 'message' }>['message'];

/** Handing an event to its viewers ends the trace of what caused it. */
const handOut = (hub: Pick<Hub, 'receive'>, message: Message): void => {
  if (!isRecording()) {
    hub.receive(message);
    return;
  }
  const [, kind = ''] = message.subject.split('.');
  const template = `job.${kind}.*`;
  const span = startSpan(
    {
      name: `deliver ${template}`,
      kind: 'consumer',
      attributes: {
        'messaging.system.name': 'nats',
        'messaging.operation.type': 'process',
        'messaging.operation.name': 'deliver',
        'messaging.destination.name': STREAM,
        'messaging.destination.template': template,
      },
    },
    messageContext(message.headers),
  );
  hub.receive(message);
  span.end();
};

/** Feeds the hub until the signal fires. Resolves, with a promise of the end, when the hub knows where the stream is. */
export const followJobs = async (
  bus: Bus,
  hub: Pick<Hub, 'reset' | 'receive'>,
  log: Log,
  signal: AbortSignal,
): Promise<{ readonly ended: Promise<void> }> => {
  const known = Promise.withResolvers<void>();
  const follow = async () => {
    for await (const item of tail(bus, STREAM, log, signal)) {
      if (item.kind === 'reset') {
        hub.reset(item.epoch, item.lastSeq);
        known.resolve();
      } else {
        handOut(hub, item.message);
      }
    }
  };
  const ended = follow();
  await Promise.race([known.promise, ended]);
  return { ended };
};
