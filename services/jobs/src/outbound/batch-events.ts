// Tells how batches get on.
//   B1. A batch is counted again some time after one of its jobs has moved, so that it tells at most one event a
//       second, and the last one tells the end.
//   B2. What is told is decided by one write, guarded by the batch's version: of many replicas that have counted, one
//       wins. The event is in the same document, and leaves as those of jobs do.
//   B3. A job's move and the mark on its batch are two writes. When a crash comes between them, the mark is missed;
//       therefore a batch that goes on is counted every RECOUNT_MS anyway.

import type { Log } from '@esl/kit/log';
import { type BatchCounts, etaSeconds, leftIn, totalOf } from '../domain/batch.ts';
import type { BatchId, JobRecord } from '../domain/job.ts';
import { batchEntry } from '../wire.ts';
import { type JobsCollection, toStored } from './job-documents.ts';
import { type BatchDocument, type BatchesCollection, batchOf, RECOUNT_MS, tallyOf } from './mongo-batches.ts';
import type { OutboxRelay } from './outbox-relay.ts';

const EVENT_EVERY_MS = 1_000;
const BATCH = 100;
const MAX_MARKED = 1_000;

export type BatchEvents = {
  /** Sees every stored change of a job. */
  readonly watch: (before: JobRecord | null, after: JobRecord) => void;
  readonly mark: (id: BatchId) => Promise<void>;
  /** Counts what is due, and tells what has changed. */
  readonly announce: () => Promise<void>;
};

const isSame = (a: BatchCounts, b: BatchCounts) =>
  (Object.keys(a) as (keyof BatchCounts)[]).every((state) => a[state] === b[state]);

export const batchEvents = ({
  batches,
  jobs,
  relay,
  now,
  log,
}: {
  readonly batches: BatchesCollection;
  readonly jobs: JobsCollection;
  readonly relay: OutboxRelay;
  readonly now: () => Date;
  readonly log: Log;
}): BatchEvents => {
  /** When each batch that was marked here is counted: a move before that needs no mark of its own. */
  const marked = new Map<BatchId, number>();

  /** Batches whose mark is being written; true when another move came meanwhile, that it may be too early for. */
  const marking = new Map<BatchId, boolean>();

  const markOnce = async (id: BatchId): Promise<void> => {
    const at = now();
    if ((marked.get(id) ?? 0) > at.getTime()) return;
    const soonest = new Date(at.getTime() + EVENT_EVERY_MS);
    const { modifiedCount } = await batches.updateOne(
      { _id: id, $or: [{ checkAt: null }, { checkAt: { $gt: soonest } }] },
      { $set: { checkAt: soonest } },
    );
    if (modifiedCount === 0) return;
    marked.delete(id);
    marked.set(id, soonest.getTime());
    const oldest = marked.size > MAX_MARKED ? marked.keys().next().value : undefined;
    if (oldest) marked.delete(oldest);
  };

  const mark = async (id: BatchId): Promise<void> => {
    if (marking.has(id)) {
      marking.set(id, true);
      return;
    }
    try {
      do {
        marking.set(id, false);
        await markOnce(id);
      } while (marking.get(id));
    } finally {
      marking.delete(id);
    }
  };

  /** Counts a batch once. What moves while it is counted marks it again. */
  const count = async ({ _id, version, checkAt }: BatchDocument): Promise<void> => {
    const recountAt = new Date(now().getTime() + RECOUNT_MS);
    const document = await batches.findOneAndUpdate(
      { _id, version, checkAt },
      { $set: { checkAt: recountAt } },
      { returnDocument: 'after' },
    );
    if (!document) return;
    const tally = await tallyOf(jobs, _id);
    const at = now();
    const wasOver = document.finishedAt !== null;
    const isOver = leftIn(tally.counts) === 0;
    const finishedAt = document.finishedAt ?? (isOver ? (tally.lastFinishedAt ?? at) : null);
    if (wasOver && totalOf(tally.counts) === 0) {
      await batches.deleteOne({ _id, version });
      return;
    }
    if (isSame(tally.counts, document.counts) && wasOver === isOver) {
      if (isOver) await batches.updateOne({ _id, version, checkAt: recountAt }, { $set: { checkAt: null } });
      return;
    }
    const changed = {
      version: version + 1,
      counts: tally.counts,
      etaSeconds: etaSeconds(tally, at),
      finishedAt,
      updatedAt: at,
    };
    const fact = finishedAt && !wasOver ? 'batch_finished' : 'batch_updated';
    const entry = batchEntry(batchOf({ ...document, ...changed }), fact, at);
    const { modifiedCount } = await batches.updateOne(
      { _id, version },
      { $set: changed, $push: { outbox: toStored(entry) } },
    );
    if (modifiedCount === 1) relay.send(_id, [entry]);
  };

  return {
    mark,
    watch: (before, after) => {
      if (!after.batchId || !before || before.state === after.state) return;
      mark(after.batchId).catch((error: unknown) =>
        log.warn({ err: error, batchId: after.batchId }, 'a batch is counted later'),
      );
    },
    announce: async () => {
      await relay.sweep(now());
      const due = await batches
        .find({ checkAt: { $gt: new Date(0), $lte: now() } })
        .sort({ checkAt: 1 })
        .limit(BATCH)
        .toArray();
      for (const document of due) await count(document);
    },
  };
};
