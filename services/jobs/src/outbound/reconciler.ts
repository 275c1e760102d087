// The reconciler: makes true what a crash, a lost message or a lost stream left undone. MongoDB is the only truth.
//   R1. Every pass may run in every replica at once: all it does is guarded or harmless when repeated.
//   R2. A queued job whose time has come is dispatched as soon as its lane has room (dispatcher.ts). A dispatched one
//       has a work message; a second one on its subject is refused by the stream.
//   R3. A running job whose lease is out goes back to the queue; its old message is removed, so that the new one
//       need not wait for the lost worker's.
//   R4. When a stream was made anew, all live jobs are announced and queued again.

import { setTimeout as delay } from 'node:timers/promises';
import type { Bus } from '@esl/kit/bus';
import type { Log } from '@esl/kit/log';
import { seconds } from '@esl/kit/metrics';
import { publishBytes } from '@esl/kit/publish';
import { withContext } from '@esl/kit/request-context';
import { streamPosition } from '@esl/kit/tail';
import { CHANNELS, STREAMS } from '@esl-pipeline/contracts/bus';
import type { Db } from 'mongodb';
import type { JobStore } from '../app/needs.ts';
import { loseLease, REFRESH_CHECK_MS } from '../domain/changes.ts';
import { DISPATCH_CHECK_MS, type JobRecord } from '../domain/job.ts';
import { factEntry, workEntry } from '../wire.ts';
import type { BatchEvents } from './batch-events.ts';
import type { Dispatcher, Lane } from './dispatcher.ts';
import { type JobDocument, type JobsCollection, RECORD_ONLY, recordOf } from './job-documents.ts';
import type { OutboxRelay } from './outbox-relay.ts';

const EVERY_MS = 500;
const BATCH = 500;
/** A work message that was refused belongs to a run that is just ending; look again soon. */
const REFUSED_CHECK_MS = 30_000;

type Parts = {
  readonly db: Db;
  readonly jobs: JobsCollection;
  readonly store: JobStore;
  readonly bus: Bus;
  readonly relay: OutboxRelay;
  readonly dispatch: Dispatcher;
  readonly batches: BatchEvents;
  readonly continueDeletions: () => Promise<void>;
  readonly expire: () => Promise<void>;
  readonly now: () => Date;
  readonly log: Log;
};

/** All lanes with a backlog are looked at this often, in ms. */
const ALL_LANES_EVERY_MS = 5_000;
/** Clocks of replicas differ, and a write may be seen a little after its time, in ms. */
const OVERLAP_MS = 2_000;

const after = (now: Date, ms: number) => new Date(now.getTime() + ms);

/** Nobody asks for what is done here: it is put down to the request that made the job. */
const inNameOf = <T>({ origin }: JobRecord, run: () => Promise<T>): Promise<T> =>
  withContext(origin ?? {}, run);

const sendWork = async (bus: Bus, job: JobRecord, work: 'run' | 'refresh') => {
  const { channel, payload } = workEntry(job, work);
  const result = await inNameOf(job, () => publishBytes(bus, CHANNELS[channel], job.id, payload));
  return { job, result };
};

/** Makes sure of the messages of jobs that were dispatched some time ago and still wait. */
const sendAgain = async ({ jobs, bus, now }: Parts): Promise<void> => {
  const at = now();
  const overdue = { state: 'queued', isDispatched: true, dispatchAt: { $lte: at } } as const;
  const due = await jobs.find(overdue, RECORD_ONLY).limit(BATCH).toArray();
  const sent = await Promise.all(due.map((document) => sendWork(bus, recordOf(document), 'run')));
  for (const [result, checkMs] of [
    ['stored', DISPATCH_CHECK_MS],
    ['duplicate', REFUSED_CHECK_MS],
  ] as const) {
    const ids = sent.filter((one) => one.result === result).map(({ job }) => job.id);
    if (ids.length === 0) continue;
    await jobs.updateMany({ ...overdue, _id: { $in: ids } }, { $set: { dispatchAt: after(at, checkMs) } });
  }
};

/** Lanes with jobs that became due after `since` and were not dispatched. */
const dueLanes = (jobs: JobsCollection, since: Date, at: Date): Promise<Lane[]> =>
  jobs
    .aggregate<Lane>([
      { $match: { state: 'queued', isDispatched: false, dispatchAt: { $gt: since, $lte: at } } },
      { $group: { _id: { ownerId: '$ownerId', priority: '$priority' } } },
      { $replaceRoot: { newRoot: '$_id' } },
    ])
    .toArray();

/**
 * Fills the lanes whose jobs have just become due: scheduled ones, retries, and those that a crash left. Every few
 * seconds all lanes with a backlog are looked at, so that one which nobody filled goes on.
 */
const dispatchDue = () => {
  let lookedAt = 0;
  let lookedAtAll = 0;
  return async ({ jobs, dispatch, now }: Parts): Promise<void> => {
    const at = now().getTime();
    const isForAll = at - lookedAtAll >= ALL_LANES_EVERY_MS;
    const since = isForAll ? 0 : lookedAt - OVERLAP_MS;
    await dispatch.fillAll(await dueLanes(jobs, new Date(since), new Date(at)));
    lookedAt = at;
    if (isForAll) lookedAtAll = at;
  };
};

/** How long until the next job becomes due, at most `maxMs`. */
const untilNextDue = async ({ jobs, now }: Parts, maxMs: number): Promise<number> => {
  const at = now();
  const next = await jobs
    .find(
      { state: 'queued', isDispatched: false, dispatchAt: { $gt: at, $lte: after(at, maxMs) } },
      { projection: { dispatchAt: 1 } },
    )
    .sort({ dispatchAt: 1 })
    .limit(1)
    .next();
  return next?.dispatchAt ? next.dispatchAt.getTime() - at.getTime() + 1 : maxMs;
};

const loseExpiredLeases = async ({ jobs, store, bus, now }: Parts): Promise<void> => {
  const at = now();
  const expired = await jobs
    .find({ state: 'running', 'lease.expiresAt': { $lte: at } })
    .limit(BATCH)
    .toArray();
  for (const document of expired) {
    const job = recordOf(document);
    await bus.jsm.streams.purge(STREAMS.WORK.name, {
      filter: CHANNELS[workEntry(job, 'run').channel].subject(job.id),
    });
    await store.change(job.id, (current) =>
      current.state === 'running' && current.attempt === job.attempt ? loseLease(current, at) : null,
    );
  }
};

const askForRefreshes = async ({ jobs, bus, now }: Parts): Promise<void> => {
  const at = now();
  const due = await jobs
    .find({ 'refresh.version': { $exists: true }, 'refresh.checkAt': { $lte: at } })
    .limit(BATCH)
    .toArray();
  for (const document of due) {
    await sendWork(bus, recordOf(document), 'refresh');
    await jobs.updateOne(
      { _id: document._id, 'refresh.checkAt': { $lte: at } },
      { $set: { 'refresh.checkAt': after(at, REFRESH_CHECK_MS) } },
    );
  }
};

type StreamEpochs = { readonly _id: 'streams'; readonly jobs: string; readonly work: string };

/** Announces every live job as it is, and has every queued one dispatched. */
const rebuild = async ({ jobs, bus, now }: Parts): Promise<void> => {
  const live = jobs.find<JobDocument>({ state: { $in: ['queued', 'running'] } }).batchSize(BATCH);
  for await (const document of live) {
    const job = recordOf(document);
    const fact = factEntry(job, job.version === 1 ? 'created' : 'updated', null);
    await inNameOf(job, () =>
      publishBytes(bus, CHANNELS[fact.channel], job.id, fact.payload, { msgId: fact.id }),
    );
  }
  const at = now();
  await jobs.updateMany({ state: 'queued', isDispatched: true }, { $set: { dispatchAt: at } });
};

const noticeNewStreams = async (parts: Parts): Promise<void> => {
  const epochs = parts.db.collection<StreamEpochs>('job_streams');
  const [jobs, work] = await Promise.all(
    [STREAMS.JOBS, STREAMS.WORK].map(async ({ name }) => (await streamPosition(parts.bus, name)).epoch),
  );
  if (!jobs || !work) return;
  const known = await epochs.findOne({ _id: 'streams' });
  if (known?.jobs === jobs && known.work === work) return;
  if (known) {
    parts.log.warn('streams were made anew: announcing and queueing every live job again');
    await rebuild(parts);
  }
  await epochs.updateOne({ _id: 'streams' }, { $set: { jobs, work } }, { upsert: true });
};

const took = seconds('esl_reconciler_seconds', 'Time a pass of the reconciler took', ['pass', 'result']);

/** Runs until the signal fires. Each pass stands alone: one that fails is logged and comes again. */
export const reconcile = async (parts: Parts, signal: AbortSignal): Promise<void> => {
  const passes: Readonly<Record<string, (parts: Parts) => Promise<void>>> = {
    new_streams: noticeNewStreams,
    outbox: ({ relay, now }) => relay.sweep(now()),
    leases: loseExpiredLeases,
    due: dispatchDue(),
    dispatched: sendAgain,
    batches: ({ batches }) => batches.announce(),
    deletions: (each) => each.continueDeletions(),
    retention: (each) => each.expire(),
    refreshes: askForRefreshes,
  };
  while (!signal.aborted) {
    for (const [name, pass] of Object.entries(passes)) {
      const end = took.startTimer({ pass: name });
      try {
        await pass(parts);
        end({ result: 'done' });
      } catch (error) {
        end({ result: 'failed' });
        if (signal.aborted) return;
        parts.log.warn({ err: error, pass: name }, 'reconciler pass failed, will repeat');
        await parts.bus.restore().catch(() => {});
      }
    }
    const pauseMs = EVERY_MS * (0.75 + Math.random() / 2);
    const waitMs = await untilNextDue(parts, pauseMs).catch(() => pauseMs);
    await delay(waitMs, null, { signal }).catch(() => {});
  }
};
