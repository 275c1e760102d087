// The record of deletions: who deleted what, when and why, and whether everything is gone.
//   P1. What a job made is purged when no other job uses it: a rerun shows its parent's page, and equal narrations
//       are one file whoever made them.
//   P2. While a child of the job has not ended, nothing is purged: it may still start from what its parent did.
//   P3. The worker is asked until it has reported: a lost message costs time, not data.

import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { Bus } from '@esl/kit/bus';
import { publish } from '@esl/kit/publish';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import type { Collection, Db } from 'mongodb';
import type { DeletionReason } from '../app/delete-job.ts';
import type { DeletionStore } from '../app/needs.ts';
import type { BatchId, JobId, JobRecord, OwnerId } from '../domain/job.ts';
import { type JobsCollection, RECORD_ONLY, recordOf } from './job-documents.ts';

export type DeletionDocument = {
  readonly _id: JobId;
  readonly ownerId: OwnerId;
  readonly batchId: BatchId | null;
  readonly actor: string;
  readonly reason: DeletionReason;
  readonly requestedAt: Date;
  readonly deletedAt: Date | null;
  readonly purgedAt: Date | null;
  /** What the job had made. */
  readonly keys: readonly string[];
  /** While something is left to do: when to look again. */
  readonly checkAt: Date | null;
};

export type DeletionsCollection = Collection<DeletionDocument>;

/** How long a deletion may be under way before it is taken for left behind by a crash, in ms. */
const LEFT_BEHIND_MS = 15_000;
/** When a worker that has not reported is asked again, and a family that is not done looked at again, in ms. */
const ASK_AGAIN_MS = 60_000;
const BATCH = 100;

export const openDeletionsCollection = async (db: Db): Promise<DeletionsCollection> => {
  const deletions = db.collection<DeletionDocument>('deletions');
  await deletions.createIndexes([
    { name: 'check', key: { checkAt: 1 }, partialFilterExpression: { checkAt: { $gt: new Date(0) } } },
    { name: 'requested', key: { requestedAt: -1 } },
  ]);
  return deletions;
};

export const mongoDeletions = (
  deletions: DeletionsCollection,
  jobs: JobsCollection,
  now: () => Date,
): DeletionStore => ({
  record: async (job, { actor, reason }) => {
    const at = now();
    await deletions.updateOne(
      { _id: job.id },
      {
        $setOnInsert: {
          ownerId: job.ownerId,
          batchId: job.batchId,
          actor,
          reason,
          requestedAt: at,
          deletedAt: null,
          purgedAt: null,
          keys: job.artifacts.flatMap(({ key }) => key ?? []),
          checkAt: new Date(at.getTime() + LEFT_BEHIND_MS),
        },
      },
      { upsert: true },
    );
  },
  remove: async (id) => {
    const job = await jobs.findOne({ _id: id }, { projection: { 'artifacts.key': 1 } });
    if (job) {
      const { deletedCount } = await jobs.deleteOne({
        _id: id,
        state: { $ne: 'running' },
        'outbox.0': { $exists: false },
      });
      if (deletedCount === 0) return false;
    }
    const at = now();
    await deletions.updateOne(
      { _id: id, deletedAt: null },
      {
        $set: { deletedAt: at, checkAt: at },
        ...(job && { $addToSet: { keys: { $each: job.artifacts.flatMap(({ key }) => key ?? []) } } }),
      },
    );
    return true;
  },
  withdraw: async (id) => {
    await deletions.deleteOne({ _id: id, deletedAt: null });
  },
  purged: async (id) => {
    await deletions.updateOne({ _id: id, purgedAt: null }, { $set: { purgedAt: now(), checkAt: null } });
  },
});

/** Keys that some job shows. */
const usedKeys = async (jobs: JobsCollection, keys: readonly string[]): Promise<ReadonlySet<string>> => {
  if (keys.length === 0) return new Set();
  const users = await jobs
    .find({ 'artifacts.key': { $in: [...keys] } }, { projection: { 'artifacts.key': 1 }, hint: 'artifacts' })
    .limit(1_000)
    .toArray();
  return new Set(users.flatMap(({ artifacts }) => artifacts.flatMap(({ key }) => key ?? [])));
};

const hasLiveChild = async (jobs: JobsCollection, id: JobId): Promise<boolean> =>
  (await jobs.findOne(
    { parentJobId: id, state: { $in: ['queued', 'running'] } },
    { projection: { _id: 1 }, hint: 'parent' },
  )) !== null;

/** Goes on with deletions: finishes those that a crash interrupted, and has workers purge what is left. */
export const continueDeletions = ({
  deletions,
  jobs,
  bus,
  finish,
  now,
}: {
  readonly deletions: DeletionsCollection;
  readonly jobs: JobsCollection;
  readonly bus: Bus;
  readonly finish: (job: JobRecord) => Promise<unknown>;
  readonly now: () => Date;
}) => {
  const purge = async ({ _id: jobId, ownerId, keys }: DeletionDocument): Promise<void> => {
    if (await hasLiveChild(jobs, jobId)) return;
    const used = await usedKeys(jobs, keys);
    const unused = keys.filter((key) => !used.has(key));
    const occurredAt = timestampFromDate(now());
    await publish(bus, CHANNELS.purge, jobId, { jobId, ownerId, keys: unused, occurredAt });
  };

  return async (): Promise<void> => {
    const at = now();
    const due = await deletions
      .find({ checkAt: { $gt: new Date(0), $lte: at } })
      .sort({ checkAt: 1 })
      .limit(BATCH)
      .toArray();
    for (const deletion of due) {
      if (deletion.deletedAt === null) {
        const job = await jobs.findOne({ _id: deletion._id }, RECORD_ONLY);
        await finish(job ? recordOf(job) : ({ id: deletion._id, batchId: deletion.batchId } as JobRecord));
        continue;
      }
      await purge(deletion);
      await deletions.updateOne(
        { _id: deletion._id, purgedAt: null },
        { $set: { checkAt: new Date(at.getTime() + ASK_AGAIN_MS) } },
      );
    }
  };
};
