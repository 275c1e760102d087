import { openWorld, type World } from '@esl/kit/testing/world';
import { CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobId, Origin } from '../src/domain/job.ts';
import { newRecord } from '../src/domain/job.ts';
import { openJobsCollection } from '../src/outbound/job-documents.ts';
import { mongoJobStore } from '../src/outbound/mongo-job-store.ts';
import { outboxRelay } from '../src/outbound/outbox-relay.ts';
import { aNewJob } from './builders.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const origin: Origin = {
  requestId: 'request-1',
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  tracestate: 'vendor=value',
};

const parts = async () => {
  const bus = await world.connectBus({
    streams: Object.values(STREAMS),
    consumers: Object.values(CONSUMERS),
  });
  const jobs = await openJobsCollection(world.mongo.db);
  const relay = outboxRelay(jobs, bus, world.log);
  // The process that stores dies before it publishes.
  const store = mongoJobStore(jobs, {
    now: () => new Date(),
    outgoing: () => {},
    published: relay.published,
    admit: (record) => record,
    watch: () => {},
  });
  const lastOf = async (jobId: JobId) => {
    const message = await bus.jsm.direct.getMessage(STREAMS.JOBS.name, { last_by_subj: `job.*.${jobId}` });
    return ['Esl-Request-Id', 'traceparent', 'tracestate'].map((name) => message?.header.get(name));
  };
  return { jobs, relay, store, lastOf };
};

const later = () => new Date(Date.now() + 60_000);

describe('what a sweep publishes', () => {
  it('carries the ids of the request that caused it', async () => {
    const { relay, store, lastOf } = await parts();
    const job = newRecord({ ...aNewJob(), origin }, new Date());
    await store.create([job]);
    await relay.sweep(later());
    await relay.flush();
    expect(await lastOf(job.id)).toEqual([origin.requestId, origin.traceparent, origin.tracestate]);
  });

  it('is put down to the request that made the job when nobody asked for the change', async () => {
    const { relay, store, lastOf } = await parts();
    const job = newRecord({ ...aNewJob(), origin }, new Date());
    await store.create([job]);
    await store.change(job.id, () => ({ fact: 'updated', fields: { failedAttempts: 1 } }));
    await relay.sweep(later());
    await relay.flush();
    expect(await lastOf(job.id)).toEqual([origin.requestId, origin.traceparent, origin.tracestate]);
  });
});
