// Batches in MongoDB. What a batch says of its jobs is counted from the jobs, never kept up by adding and taking away:
// a count cannot drift, whatever was lost or came twice. The counts in the document are those of its last event.

import { type ClientSession, type Collection, type Db, MongoServerError } from 'mongodb';
import type { BatchStore, Scope } from '../app/needs.ts';
import { type Batch, type BatchTally, etaSeconds, leftIn, NO_JOBS } from '../domain/batch.ts';
import type { BatchId, JobId, JobState, OwnerId } from '../domain/job.ts';
import type { JobsCollection, StoredEntry } from './job-documents.ts';
import type { CreateTogether } from './mongo-job-store.ts';

export type BatchDocument = {
  readonly _id: BatchId;
  readonly ownerId: OwnerId;
  readonly version: number;
  readonly name: string | null;
  readonly jobIds: readonly JobId[];
  readonly counts: Batch['counts'];
  readonly etaSeconds: number | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly finishedAt: Date | null;
  /** When its jobs are counted again; null: when one of them changes. */
  readonly checkAt: Date | null;
  /** The latest attempt at each failed job, by that job's id. */
  readonly retries: Readonly<Record<string, JobId>>;
  readonly outbox: readonly StoredEntry[];
};

export type BatchesCollection = Collection<BatchDocument>;

const DUPLICATE_KEY = 11_000;

/** A batch that goes on is counted this often, whether or not one of its jobs is known to have moved, in ms. */
export const RECOUNT_MS = 10_000;

export const openBatchesCollection = async (db: Db): Promise<BatchesCollection> => {
  const batches = db.collection<BatchDocument>('batches');
  await batches.createIndexes([
    { name: 'owner', key: { ownerId: 1, _id: -1 } },
    { name: 'check', key: { checkAt: 1 }, partialFilterExpression: { checkAt: { $gt: new Date(0) } } },
    { name: 'outbox', key: { updatedAt: 1 }, partialFilterExpression: { 'outbox.0': { $exists: true } } },
  ]);
  return batches;
};

/** Counts the jobs of a batch as they are now. */
export const tallyOf = async (jobs: JobsCollection, batchId: BatchId): Promise<BatchTally> => {
  const rows = await jobs
    .aggregate<{ _id: JobState; count: number; startedAt: Date | null; finishedAt: Date | null }>(
      [
        { $match: { batchId } },
        {
          $group: {
            _id: '$state',
            count: { $sum: 1 },
            startedAt: { $min: '$startedAt' },
            finishedAt: { $max: '$finishedAt' },
          },
        },
      ],
      { hint: 'batch' },
    )
    .toArray();
  const dates = (field: 'startedAt' | 'finishedAt') => rows.flatMap((row) => row[field]?.getTime() ?? []);
  const started = dates('startedAt');
  const finished = dates('finishedAt');
  return {
    counts: { ...NO_JOBS, ...Object.fromEntries(rows.map(({ _id, count }) => [_id, count])) },
    startedAt: started.length > 0 ? new Date(Math.min(...started)) : null,
    lastFinishedAt: finished.length > 0 ? new Date(Math.max(...finished)) : null,
  };
};

export const batchOf = ({ _id, ...document }: BatchDocument): Batch => {
  const { ownerId, version, name, counts, createdAt, finishedAt, etaSeconds } = document;
  return { id: _id, ownerId, version, name, counts, createdAt, finishedAt, etaSeconds };
};

const isTaken = (error: unknown) => error instanceof MongoServerError && error.code === DUPLICATE_KEY;

const reached = (scope: Scope) => (scope === 'everyone' ? {} : { ownerId: scope.ownerId });

export const mongoBatches = ({
  batches,
  jobs,
  createTogether,
  inTransaction,
  now,
}: {
  readonly batches: BatchesCollection;
  readonly jobs: JobsCollection;
  readonly createTogether: CreateTogether;
  readonly inTransaction: (work: (session: ClientSession) => Promise<void>) => Promise<void>;
  readonly now: () => Date;
}): BatchStore => {
  const fresh = async (document: BatchDocument): Promise<Batch> => {
    const tally = await tallyOf(jobs, document._id);
    const finishedAt = leftIn(tally.counts) > 0 ? null : (document.finishedAt ?? tally.lastFinishedAt);
    return {
      ...batchOf(document),
      counts: tally.counts,
      finishedAt,
      etaSeconds: etaSeconds(tally, now()),
    };
  };

  return {
    create: async ({ id, ownerId, name, createdAt }, records) => {
      const at = now();
      const together = createTogether(records);
      const document: BatchDocument = {
        _id: id,
        ownerId,
        version: 1,
        name,
        jobIds: records.map((record) => record.id),
        counts: { ...NO_JOBS, queued: records.length },
        etaSeconds: null,
        createdAt,
        updatedAt: at,
        finishedAt: null,
        checkAt: new Date(at.getTime() + RECOUNT_MS),
        retries: {},
        outbox: [],
      };
      try {
        await inTransaction(async (session) => {
          await batches.insertOne(document, { session });
          await together.insert(session);
        });
      } catch (error) {
        if (!isTaken(error)) throw error;
        const stored = await batches.findOne({ _id: id });
        return stored && { batch: await fresh(stored), jobIds: stored.jobIds };
      }
      together.stored();
      return { batch: batchOf(document), jobIds: document.jobIds };
    },
    find: async (scope, id) => {
      const document = await batches.findOne({ _id: id, ...reached(scope) });
      return document && (await fresh(document));
    },
    list: async (scope, { before, limit }) => {
      const documents = await batches
        .find({ ...reached(scope), ...(before && { _id: { $lt: before as BatchId } }) })
        .sort({ _id: -1 })
        .limit(limit)
        .toArray();
      return documents.map(batchOf);
    },
    jobsIn: async (id, states) => {
      const documents = await jobs
        .find({ batchId: id, state: { $in: [...states] } }, { projection: { _id: 1 }, hint: 'batch' })
        .toArray();
      return documents.map((document) => document._id as JobId);
    },
    retries: async (id) => {
      const document = await batches.findOne({ _id: id }, { projection: { retries: 1 } });
      return document?.retries ?? {};
    },
    claimRetry: async (id, jobId, from, to) => {
      const field = `retries.${jobId}`;
      const { modifiedCount } = await batches.updateOne(
        { _id: id, [field]: from ?? { $exists: false } },
        { $set: { [field]: to } },
      );
      return modifiedCount === 1;
    },
  };
};
