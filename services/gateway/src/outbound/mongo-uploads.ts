import { coalesce } from '@esl/kit/coalesce';
import type { Collection, Db } from 'mongodb';
import type { Upload, UploadStore } from '../uploads/upload.ts';

type Stored = Omit<Upload, 'id'> & { readonly _id: string };

const fromStored = ({ _id, ...fields }: Stored): Upload => ({ ...fields, id: _id });

/** Lessons looked up together: submissions that arrive at the same time share a query. */
const MAX_LOOKUPS = 200;

export const mongoUploadStore = async (db: Db): Promise<UploadStore> => {
  const uploads: Collection<Stored> = db.collection('uploads');
  await uploads.createIndexes([
    { name: 'reference', key: { ownerId: 1, md: 1 }, unique: true },
    { name: 'owner', key: { ownerId: 1, _id: -1 } },
  ]);

  const usedBytes = async (ownerId: string): Promise<number> => {
    const [sum] = await uploads
      .aggregate<{ bytes: number }>([
        { $match: { ownerId } },
        { $group: { _id: null, bytes: { $sum: '$bytes' } } },
      ])
      .toArray();
    return sum?.bytes ?? 0;
  };

  const lookUp = coalesce(
    async (wishes: readonly { readonly ownerId: string; readonly md: string }[]) => {
      const found = await uploads
        .find({ $or: wishes.map(({ ownerId, md }) => ({ ownerId, md })) })
        .project<Pick<Stored, 'ownerId' | 'md' | 'blobKey'>>({ _id: 0, ownerId: 1, md: 1, blobKey: 1 })
        .toArray();
      const keys = new Map(found.map(({ ownerId, md, blobKey }) => [JSON.stringify([ownerId, md]), blobKey]));
      return wishes.map(({ ownerId, md }) => ({ blobKey: keys.get(JSON.stringify([ownerId, md])) ?? null }));
    },
    { maxItems: MAX_LOOKUPS, inFlight: 2 },
  );

  return {
    add: async ({ id, ...fields }, quotaBytes) => {
      await uploads.insertOne({ ...fields, _id: id });
      // Counted after the write, so that two at once cannot both find room for themselves alone.
      if ((await usedBytes(fields.ownerId)) <= quotaBytes) return 'added';
      await uploads.deleteOne({ _id: id });
      return 'over_quota';
    },
    byId: async (ownerId, id) => {
      const stored = await uploads.findOne({ _id: id, ownerId });
      return stored && fromStored(stored);
    },
    list: async (ownerId, { after, limit }) => {
      const page = { ownerId, ...(after !== null && { _id: { $lt: after } }) };
      const [stored, total] = await Promise.all([
        uploads.find(page).sort({ _id: -1 }).limit(limit).toArray(),
        uploads.countDocuments({ ownerId }),
      ]);
      return { uploads: stored.map(fromStored), total };
    },
    remove: async (ownerId, id) => {
      const stored = await uploads.findOneAndDelete({ _id: id, ownerId });
      return stored && fromStored(stored);
    },
    keyOf: async (wish) => (await lookUp(wish)).blobKey,
  };
};
