import { eventually, openWorld, type World } from '@esl/kit/testing/world';
import { CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newRecord } from '../src/domain/job.ts';
import { openJobsCollection } from '../src/outbound/job-documents.ts';
import { mongoJobStore } from '../src/outbound/mongo-job-store.ts';
import { outboxRelay } from '../src/outbound/outbox-relay.ts';
import type { OutboxEntry } from '../src/wire.ts';
import { aNewJob } from './builders.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

describe('the outbox of a job', () => {
  it('is empty when all is published, also what was acknowledged while others were being pulled', async () => {
    const bus = await world.connectBus({
      streams: Object.values(STREAMS),
      consumers: Object.values(CONSUMERS),
    });
    const jobs = await openJobsCollection(world.mongo.db);
    const relay = outboxRelay(jobs, bus, world.log);
    let stored: readonly OutboxEntry[] = [];
    const store = mongoJobStore(jobs, {
      now: () => new Date(),
      outgoing: (_jobId, entries) => {
        stored = entries;
      },
      published: relay.published,
      admit: (record) => record,
      watch: () => {},
    });
    const job = newRecord(aNewJob(), new Date());
    await store.create([job]);
    await store.change(job.id, () => ({ fact: 'updated', fields: { failedAttempts: 1 } }));
    const [created, updated] = stored;
    if (!created || !updated) throw new Error('the outbox has two entries');
    const isAcknowledged = ({ id }: OutboxEntry) => eventually(() => relay.published.has(id) || null);

    // While a transaction holds the document, what pulls from it has to wait.
    let flushed: Promise<void> | null = null;
    await world.mongo.inTransaction(async (session) => {
      await jobs.updateOne({ _id: job.id }, { $set: { failedAttempts: 2 } }, { session });
      relay.send(job.id, [created]);
      await isAcknowledged(created);
      flushed = relay.flush();
      relay.send(job.id, [updated]);
      await isAcknowledged(updated);
    });
    await flushed;
    expect((await jobs.findOne({ _id: job.id }))?.outbox).toEqual([]);
  });
});
