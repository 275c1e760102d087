import { type Collection, type Db, MongoError } from 'mongodb';
import { type OwnerSettingsStore, StoreUnavailable } from '../app/needs.ts';
import { NEW_OWNER, type OwnerSettings, type SettingsChange } from '../domain/owner-settings.ts';

/** A missing field was never set, and has its default; null was cleared. Keys are sealed. */
type OwnerSettingsDocument = SettingsChange & {
  readonly _id: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

const settingsOf = (document: OwnerSettingsDocument): OwnerSettings => {
  const { _id, elevenLabsKey, notionToken, ...set } = document;
  return {
    ...NEW_OWNER,
    ...set,
    hasElevenLabsKey: elevenLabsKey != null,
    hasNotionToken: notionToken != null,
  };
};

const orUnavailable = async <T>(work: Promise<T>, signal: AbortSignal): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof MongoError) throw new StoreUnavailable('the settings', { cause: error });
    throw error;
  }
};

/** Settings in MongoDB, a document an owner. One operation may take `withinMs`. */
export const mongoOwnerSettings = (
  db: Db,
  { now, withinMs }: { now: () => Date; withinMs: number },
): OwnerSettingsStore => {
  const owners: Collection<OwnerSettingsDocument> = db.collection('owner_settings');
  const find = (ownerId: string, signal: AbortSignal) =>
    orUnavailable(owners.findOne({ _id: ownerId }, { timeoutMS: withinMs, signal }), signal);
  return {
    find: async (ownerId, signal) => {
      const document = await find(ownerId, signal);
      return document && settingsOf(document);
    },
    keys: async (ownerId, signal) => {
      const document = await find(ownerId, signal);
      return {
        elevenLabsKey: document?.elevenLabsKey ?? null,
        notionToken: document?.notionToken ?? null,
      };
    },
    update: async (ownerId, change, signal) => {
      const at = now();
      const updated = await orUnavailable(
        owners.findOneAndUpdate(
          { _id: ownerId },
          { $set: { ...change, updatedAt: at }, $setOnInsert: { createdAt: at } },
          { upsert: true, returnDocument: 'after', timeoutMS: withinMs },
        ),
        signal,
      );
      if (!updated) throw new Error('an upsert answered nothing');
      return settingsOf(updated);
    },
  };
};
