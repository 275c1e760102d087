import { randomUUID } from 'node:crypto';
import { type Db, MongoBulkWriteError } from 'mongodb';
import type { Claimed, DeliveryStore } from '../app/webhook-needs.ts';
import type { Delivery } from '../domain/webhook.ts';

/** `claim` names who may settle it; a replay takes it away. */
type DeliveryDocument = Omit<Delivery, 'id'> & { readonly _id: string; readonly claim: string | null };

/** The log of deliveries goes back this far; nothing waits that long. */
const KEPT_SECONDS = 7 * 86_400;
const MAX_ATTEMPTS_KEPT = 20;
const DUPLICATE_KEY = 11_000;

const read = ({ _id, claim: _claim, ...rest }: DeliveryDocument): Delivery => ({ id: _id, ...rest });

const onlyDuplicates = (error: unknown): boolean =>
  error instanceof MongoBulkWriteError &&
  [error.writeErrors].flat().every(({ code }) => code === DUPLICATE_KEY);

/** Deliveries in MongoDB: at once the queue of what is due and the log that users read. */
export const openDeliveryStore = async (db: Db): Promise<DeliveryStore> => {
  const deliveries = db.collection<DeliveryDocument>('webhook_deliveries');
  await deliveries.createIndexes([
    { name: 'once', key: { webhookId: 1, messageId: 1 }, unique: true },
    { name: 'log', key: { webhookId: 1, _id: -1 } },
    {
      name: 'due',
      key: { nextAttemptAt: 1, webhookId: 1 },
      partialFilterExpression: { state: 'pending' },
    },
    { name: 'kept', key: { createdAt: 1 }, expireAfterSeconds: KEPT_SECONDS },
  ]);
  const held = ({ id, claim }: Claimed) => ({ _id: id, claim });

  return {
    add: async (added) => {
      const documents = added.map(({ id, ...rest }) => ({ _id: id, ...rest, claim: null }));
      try {
        await deliveries.insertMany(documents, { ordered: false });
      } catch (error) {
        if (!onlyDuplicates(error)) throw error;
      }
    },
    find: async (webhookId, by) => {
      const key = 'id' in by ? { _id: by.id } : { messageId: by.messageId };
      const found = await deliveries.findOne({ webhookId, ...key });
      return found && read(found);
    },
    page: async (webhookId, { size, before }) => {
      const wanted = { webhookId, ...(before !== null && { _id: { $lt: before } }) };
      const found = deliveries
        .find(wanted, { projection: { body: 0 } })
        .sort({ _id: -1 })
        .limit(size);
      return (await found.toArray()).map(read);
    },
    claim: async (now, claimMs, exceptOf) => {
      const claim = randomUUID();
      const claimed = await deliveries.findOneAndUpdate(
        {
          state: 'pending',
          nextAttemptAt: { $lte: now },
          ...(exceptOf.length > 0 && { webhookId: { $nin: [...exceptOf] } }),
        },
        { $set: { claim, nextAttemptAt: new Date(now.getTime() + claimMs) }, $inc: { tries: 1 } },
        { sort: { nextAttemptAt: 1 }, returnDocument: 'after' },
      );
      return claimed && { ...read(claimed), claim };
    },
    settle: async (claimed, attempt, next) => {
      await deliveries.updateOne(held(claimed), {
        $set: { state: next.state, claim: null, nextAttemptAt: next.state === 'pending' ? next.at : null },
        $push: { attempts: { $each: [attempt], $slice: -MAX_ATTEMPTS_KEPT } },
      });
    },
    giveBack: async (claimed, now) => {
      await deliveries.updateOne(held(claimed), {
        $set: { claim: null, nextAttemptAt: now },
        $inc: { tries: -1 },
      });
    },
    reopen: async (id, now) => {
      await deliveries.updateOne(
        { _id: id },
        { $set: { state: 'pending', claim: null, nextAttemptAt: now, tries: 0, asked: true } },
      );
    },
    failPendingOf: async (webhookId) => {
      await deliveries.updateMany(
        { webhookId, state: 'pending', asked: false },
        { $set: { state: 'failed', claim: null, nextAttemptAt: null } },
      );
    },
    removeOf: async (webhookId) => {
      await deliveries.deleteMany({ webhookId });
    },
  };
};
