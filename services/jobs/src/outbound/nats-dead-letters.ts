// Messages that could not be handled, as the stream DEAD keeps them. A letter's id is its place in the stream's
// present life, so that an id of a stream that was lost finds nothing.

import { fromBinary, toJsonString } from '@bufbuild/protobuf';
import type { Bus } from '@esl/kit/bus';
import { SCHEMA_HEADER } from '@esl/kit/publish';
import { replay, streamPosition } from '@esl/kit/tail';
import { CHANNELS, STREAMS } from '@esl-pipeline/contracts/bus';
import type { DeadLetter, DeadLetters } from '../app/needs.ts';

type StoredMsg = NonNullable<Awaited<ReturnType<Bus['jsm']['streams']['getMessage']>>>;

const STREAM = STREAMS.DEAD.name;
/** Sequences looked at for one page; those of deleted letters are empty. */
const WINDOW = 200;
const MAX_WINDOWS = 50;

const ID = /^([0-9a-z]{1,16})-(\d{1,15})$/;

const letterOf = (epoch: string, message: StoredMsg): DeadLetter => ({
  id: `${epoch}-${message.seq}`,
  subject: message.header.get('Esl-Dead-Subject') || message.subject.replace(/^dead\./, ''),
  schema: message.header.get(SCHEMA_HEADER),
  consumer: message.header.get('Esl-Dead-Consumer'),
  reason: message.header.get('Esl-Dead-Reason'),
  deadAt: new Date(message.timestamp),
  bytes: message.data.length,
});

/** The payload as people read it; empty when it cannot be decoded. */
const jsonOf = (message: StoredMsg): string => {
  const name = message.header.get(SCHEMA_HEADER);
  const schema = Object.values(CHANNELS).find((channel) => channel.schema.typeName === name)?.schema;
  if (!schema) return '';
  try {
    return toJsonString(schema, fromBinary(schema, message.data));
  } catch {
    return '';
  }
};

export const natsDeadLetters = (bus: Bus): DeadLetters => {
  const find = async (id: string): Promise<{ epoch: string; message: StoredMsg } | null> => {
    const [, epoch, seq] = ID.exec(id) ?? [];
    if (!epoch || epoch !== (await streamPosition(bus, STREAM)).epoch) return null;
    const message = await bus.jsm.streams.getMessage(STREAM, { seq: Number(seq) }).catch(() => null);
    return message && { epoch, message };
  };

  return {
    list: async ({ before, limit }, signal) => {
      const { epoch, lastSeq, ...position } = await streamPosition(bus, STREAM);
      // A stream that never held anything says that it begins at 0, where there is nothing to read.
      const firstSeq = Math.max(position.firstSeq, 1);
      const { state } = await bus.jsm.streams.info(STREAM);
      const [, tokenEpoch, tokenSeq] = before ? (ID.exec(before) ?? []) : [null, epoch, String(lastSeq + 1)];
      if (!tokenEpoch) return null;
      const letters: DeadLetter[] = [];
      let toSeq = tokenEpoch === epoch ? Number(tokenSeq) - 1 : lastSeq;
      for (
        let windows = 0;
        windows < MAX_WINDOWS && toSeq >= firstSeq && letters.length < limit;
        windows += 1
      ) {
        const fromSeq = Math.max(toSeq - WINDOW + 1, firstSeq);
        const found: DeadLetter[] = [];
        for await (const message of replay(bus, STREAM, { fromSeq, toSeq }, signal))
          found.push(letterOf(epoch, message));
        letters.push(...found.reverse());
        toSeq = fromSeq - 1;
      }
      return { letters: letters.slice(0, limit), total: state.messages };
    },
    get: async (id) => {
      const found = await find(id);
      if (!found) return null;
      const { epoch, message } = found;
      return { letter: letterOf(epoch, message), payload: message.data, json: jsonOf(message) };
    },
    redrive: async (id) => {
      const found = await find(id);
      if (!found) return null;
      const { epoch, message } = found;
      const { subject } = letterOf(epoch, message);
      const described = message.header;
      for (const key of [...described.keys()])
        if (key.startsWith('Nats-') || key.startsWith('Esl-Dead-')) described.delete(key);
      await bus.js.publish(subject, message.data, { headers: described, msgID: `redrive:${id}` });
      await bus.jsm.streams.deleteMessage(STREAM, message.seq);
      return subject;
    },
    drop: async (id) => {
      const found = await find(id);
      if (!found) return false;
      return await bus.jsm.streams.deleteMessage(STREAM, found.message.seq);
    },
  };
};
