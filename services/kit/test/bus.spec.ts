import { create, toBinary } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import { headers } from '@nats-io/nats-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bus, connectBus } from '../src/bus.ts';
import { consume } from '../src/consume.ts';
import { ack, giveUp, on, retry, type Verdict } from '../src/delivery.ts';
import { publish, SCHEMA_HEADER } from '../src/publish.ts';
import { ConsumerLost, pullOne } from '../src/pull.ts';
import { replay, tail } from '../src/tail.ts';
import { eventually, openWorld, type World } from '../testing/world.ts';

const facts = { schema: StringValueSchema, subject: (id: string) => `fact.${id}`, stream: 'FACTS' };
const work = { schema: StringValueSchema, subject: (id: string) => `todo.${id}`, stream: 'TODO' };
const topology = {
  streams: [
    {
      name: 'FACTS',
      subjects: ['fact.>'],
      description: '',
      retention: 'facts',
      maxAgeMs: 0,
      duplicateWindowMs: 60_000,
    },
    {
      name: 'TODO',
      subjects: ['todo.>'],
      description: '',
      retention: 'work',
      maxAgeMs: 0,
      duplicateWindowMs: 100,
      onePerSubject: true,
    },
    {
      name: 'DEAD',
      subjects: ['dead.>'],
      description: '',
      retention: 'facts',
      maxAgeMs: 0,
      duplicateWindowMs: 60_000,
    },
  ],
  consumers: [{ stream: 'TODO', durable: 'doers', filter: 'todo.>', ackWaitMs: 30_000, maxAckPending: 100 }],
} as const;

let world: World;
let bus: Bus;
beforeAll(async () => {
  world = await openWorld();
  bus = await world.connectBus(topology);
});
afterAll(() => world[Symbol.asyncDispose]());

const doing = (handle: (value: string) => Verdict | Promise<Verdict>) => {
  const consumption = consume(
    bus,
    { stream: 'TODO', durable: 'doers' },
    new Map([on(work, async ({ value }) => handle(value))]),
    {
      concurrency: 4,
      log: world.log,
    },
  );
  return { [Symbol.asyncDispose]: consumption.stop };
};

const dead = async (subject: string) => {
  try {
    return await bus.jsm.streams.getMessage('DEAD', { last_by_subj: `dead.${subject}` });
  } catch {
    return null;
  }
};

describe('publishing', () => {
  it('drops a repeated message id', async () => {
    expect(await publish(bus, facts, 'a', { value: '1' }, { msgId: 'same' })).toBe('stored');
    expect(await publish(bus, facts, 'a', { value: '1' }, { msgId: 'same' })).toBe('duplicate');
  });

  it('refuses a second message on a subject that may hold one', async () => {
    expect(await publish(bus, work, 'once', { value: '1' })).toBe('stored');
    expect(await publish(bus, work, 'once', { value: '2' })).toBe('duplicate');
    await bus.jsm.streams.purge('TODO');
  });

  it('puts a deleted stream back', async () => {
    await bus.jsm.streams.delete('TODO');
    expect(await publish(bus, work, 'again', { value: '1' })).toBe('stored');
    await bus.jsm.streams.purge('TODO');
  });
});

describe('consuming', () => {
  it('tries again when asked to, and when the handler throws', async () => {
    const seen: string[] = [];
    await using _ = doing((value) => {
      seen.push(value);
      if (seen.length === 1) return retry(1);
      if (seen.length === 2) throw new Error('fault');
      return ack;
    });
    await publish(bus, work, 'retried', { value: 'x' });
    await eventually(() => (seen.length === 3 ? true : null));
    await eventually(async () => ((await bus.jsm.streams.info('TODO')).state.messages === 0 ? true : null));
  });

  it('puts what cannot be decoded, what is unknown and what is given up into DEAD, and goes on', async () => {
    const done: string[] = [];
    await using _ = doing((value) => {
      if (value === 'hopeless') return giveUp('hopeless case');
      done.push(value);
      return ack;
    });
    const raw = async (id: string, schema: string | null, data: Uint8Array) => {
      const described = headers();
      if (schema) described.set(SCHEMA_HEADER, schema);
      await bus.js.publish(`todo.${id}`, data, { headers: described });
    };
    await raw('garbage', StringValueSchema.typeName, new Uint8Array([0xff, 0xff]));
    await raw('unknown', 'esl.v9.Mystery', new Uint8Array());
    await raw('bare', null, toBinary(StringValueSchema, create(StringValueSchema, { value: 'x' })));
    await publish(bus, work, 'hopeless', { value: 'hopeless' });
    await publish(bus, work, 'fine', { value: 'fine' });

    const reasonOf = async (id: string) =>
      (await eventually(() => dead(`todo.${id}`))).header.get('Esl-Dead-Reason');
    expect(await reasonOf('garbage')).toMatch(/^undecodable/);
    expect(await reasonOf('unknown')).toBe('unknown message esl.v9.Mystery');
    expect(await reasonOf('bare')).toBe('no schema header');
    expect(await reasonOf('hopeless')).toBe('hopeless case');
    await eventually(() => (done.includes('fine') ? true : null));
  });

  it('goes on after the server restarts, and after it lost all its data', async () => {
    const done: string[] = [];
    await using _ = doing((value) => {
      done.push(value);
      return ack;
    });
    await world.restartNats({ kill: true });
    await eventually(() => publish(bus, work, 'after-restart', { value: 'restart' }).catch(() => null));
    await eventually(() => (done.includes('restart') ? true : null));
    await world.restartNats({ wipe: true });
    await eventually(() => publish(bus, work, 'after-wipe', { value: 'wipe' }).catch(() => null));
    await eventually(() => (done.includes('wipe') ? true : null));
  });
});

describe('pulling one message', () => {
  const doers = { stream: 'TODO', durable: 'doers' };

  it('answers at once when there is none, and waits when asked to', async () => {
    expect(await pullOne(bus, doers, 0)).toBeNull();
    const waiting = pullOne(bus, doers, 5_000);
    await publish(bus, work, 'pulled', { value: 'x' });
    const message = await waiting;
    expect(message).toMatchObject({
      subject: 'todo.pulled',
      info: { stream: 'TODO', deliveryCount: 1 },
    });
    expect(message?.headers?.get(SCHEMA_HEADER)).toBe(work.schema.typeName);
    message?.nak();
    const again = await pullOne(bus, doers, 5_000);
    expect(again?.info.deliveryCount).toBe(2);
    expect(again?.seq).toBe(message?.seq);
    again?.working();
    again?.ack();
    await eventually(async () => ((await bus.jsm.streams.info('TODO')).state.messages === 0 ? true : null));
  });

  it('says when the consumer is gone', async () => {
    const lost = expect(pullOne(bus, doers, 5_000)).rejects.toBeInstanceOf(ConsumerLost);
    await bus.nc.flush();
    await bus.jsm.consumers.delete('TODO', 'doers');
    await lost;
    await expect(pullOne(bus, doers, 0)).rejects.toBeInstanceOf(ConsumerLost);
    await bus.restore();
  });
});

describe('the tail of a stream', () => {
  it('sees everything once and in order through a restart, and says when the stream was made anew', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const follow = (async () => {
      for await (const item of tail(bus, 'FACTS', world.log, stop.signal)) {
        seen.push(item.kind === 'reset' ? 'reset' : item.message.subject);
      }
    })();
    await eventually(() => (seen.length === 1 ? true : null));
    await publish(bus, facts, '1', { value: '' });
    await eventually(() => (seen.length === 2 ? true : null));
    await world.restartNats();
    await eventually(() => publish(bus, facts, '2', { value: '' }, { msgId: 'two' }).catch(() => null));
    await publish(bus, facts, '3', { value: '' });
    await eventually(() => (seen.length === 4 ? true : null));
    await world.restartNats({ wipe: true });
    await eventually(() => (seen.length === 5 ? true : null));
    await eventually(() => publish(bus, facts, '4', { value: '' }, { msgId: 'four' }).catch(() => null));
    await eventually(() => (seen.length === 6 ? true : null));
    stop.abort();
    await follow;
    expect(seen).toEqual(['reset', 'fact.1', 'fact.2', 'fact.3', 'reset', 'fact.4']);
  });

  it('replays a range', async () => {
    const { lastSeq } = await bus.jsm.streams
      .info('FACTS')
      .then(({ state }) => ({ lastSeq: state.last_seq }));
    for (let index = 0; index < 300; index += 1) await publish(bus, facts, `r${index}`, { value: '' });
    const subjects: string[] = [];
    const range = { fromSeq: lastSeq + 1, toSeq: lastSeq + 299 };
    for await (const { subject } of replay(bus, 'FACTS', range, new AbortController().signal))
      subjects.push(subject);
    expect(subjects).toEqual(Array.from({ length: 299 }, (_, index) => `fact.r${index}`));
  });
});

describe('a stream of facts', () => {
  it('keeps no more than it may, and drops the oldest, while work is never dropped', async () => {
    await using own = await openWorld();
    const small = await connectBus(
      { url: own.natsUrl, name: 'test', replicas: 1, factsMaxBytes: 100_000, topology },
      own.log,
    );
    for (let n = 0; n < 20; n += 1) await small.js.publish(`fact.${n}`, 'x'.repeat(10_000));
    const { config, state } = await small.jsm.streams.info('FACTS');
    expect(config.max_bytes).toBe(100_000);
    expect(state).toMatchObject({ last_seq: 20 });
    expect(state.first_seq).toBeGreaterThan(10);
    expect((await small.jsm.streams.info('TODO')).config.max_bytes).toBe(-1);
    await small.drain();
  });
});
