import type { Collection, Db } from 'mongodb';
import type { Limit, RateLimits } from '../accounts/needs.ts';
import { isDuplicateKey } from './mongo-accounts.ts';

/** `busyUntil`: when all turns that were taken would have come about, one after another. */
type Bucket = {
  readonly _id: string;
  readonly busyUntil: Date;
  readonly waitMs: number;
  readonly expiresAt: Date;
};

const turnMs = ({ times, perMs }: Limit) => perMs / times;

/**
 * Turns counted in MongoDB, so that they hold across replicas: the generic cell rate algorithm (ITU-T I.371), one atomic
 * update each, on the database's clock. A counter lost with a primary is no harm: writes wait for one member only.
 */
export const mongoRateLimits = async (db: Db): Promise<RateLimits> => {
  const buckets: Collection<Bucket> = db.collection('rate_limits', {
    writeConcern: { w: 1 },
    readConcern: { level: 'local' },
  });
  await buckets.createIndex({ expiresAt: 1 }, { name: 'expiry', expireAfterSeconds: 0 });

  const take = async (key: string, limit: Limit): Promise<number> => {
    const begun = { $max: ['$$NOW', { $ifNull: ['$busyUntil', '$$NOW'] }] };
    const next = { $add: ['$busyUntil', turnMs(limit)] };
    const excess = { $subtract: [{ $subtract: [next, '$$NOW'] }, turnMs(limit) * limit.burst] };
    const bucket = await buckets.findOneAndUpdate(
      { _id: key },
      [
        { $set: { busyUntil: begun } },
        { $set: { waitMs: { $max: [0, excess] } } },
        { $set: { busyUntil: { $cond: [{ $eq: ['$waitMs', 0] }, next, '$busyUntil'] } } },
        { $set: { expiresAt: '$busyUntil' } },
      ],
      { upsert: true, returnDocument: 'after' },
    );
    return Math.ceil(bucket?.waitMs ?? 0);
  };

  return {
    take: async (key, limit) => {
      try {
        return await take(key, limit);
      } catch (error) {
        // Two first turns at once: one of them made the bucket.
        if (isDuplicateKey(error)) return await take(key, limit);
        throw error;
      }
    },
    giveBack: async (key, limit) => {
      await buckets.updateOne({ _id: key }, [
        { $set: { busyUntil: { $subtract: ['$busyUntil', turnMs(limit)] } } },
      ]);
    },
  };
};
