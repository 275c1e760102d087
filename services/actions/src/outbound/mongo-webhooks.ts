import { coalesce } from '@esl/kit/coalesce';
import { accept, refuse } from '@esl/kit/outcome';
import { type Db, MongoServerError } from 'mongodb';
import type { WebhookStore } from '../app/webhook-needs.ts';
import type { Webhook } from '../domain/webhook.ts';

/** `slot` is 0 to one less than an owner may have: the unique index on it is what keeps the limit. */
type WebhookDocument = Omit<Webhook, 'id'> & { readonly _id: string; readonly slot: number };

const DUPLICATE_KEY = 11_000;
/** Lookups under way together; those that come meanwhile share the next one. */
const LOOKUPS_AT_ONCE = 2;
const OWNERS_AT_ONCE = 200;

const read = ({ _id, slot: _slot, ...rest }: WebhookDocument): Webhook => ({ id: _id, ...rest });

/** Webhooks in MongoDB. */
export const openWebhookStore = async (db: Db): Promise<WebhookStore> => {
  const webhooks = db.collection<WebhookDocument>('webhooks');
  await webhooks.createIndexes([{ name: 'slot', key: { ownerId: 1, slot: 1 }, unique: true }]);

  const enabledOf = coalesce<string, readonly Webhook[]>(
    async (ownerIds) => {
      const wanted = [...new Set(ownerIds)];
      const found = await webhooks.find({ ownerId: { $in: wanted }, disabled: null }).toArray();
      const byOwner = Map.groupBy(found.map(read), ({ ownerId }) => ownerId);
      return ownerIds.map((ownerId) => byOwner.get(ownerId) ?? []);
    },
    { maxItems: OWNERS_AT_ONCE, inFlight: LOOKUPS_AT_ONCE },
  );

  const slotsOf = async (ownerId: string): Promise<Set<number>> =>
    new Set(
      (await webhooks.find({ ownerId }, { projection: { slot: 1 } }).toArray()).map(({ slot }) => slot),
    );

  return {
    add: async ({ id, ...webhook }, most) => {
      for (;;) {
        const there = await webhooks.findOne({ _id: id });
        if (there) return accept(read(there));
        const taken = await slotsOf(webhook.ownerId);
        const slot = Array.from({ length: most }, (_, index) => index).find((index) => !taken.has(index));
        if (slot === undefined)
          return refuse('too_many_webhooks', `There can be at most ${most} webhooks; delete one first.`);
        try {
          await webhooks.insertOne({ _id: id, ...webhook, slot });
        } catch (error) {
          // Someone was quicker to the slot, or to the id: look again.
          if (!(error instanceof MongoServerError && error.code === DUPLICATE_KEY)) throw error;
        }
      }
    },
    find: async (ownerId, id) => {
      const found = await webhooks.findOne({ _id: id, ownerId });
      return found && read(found);
    },
    get: async (id) => {
      const found = await webhooks.findOne({ _id: id });
      return found && read(found);
    },
    list: async (ownerId) => (await webhooks.find({ ownerId }).sort({ _id: 1 }).toArray()).map(read),
    enabledOf,
    remove: async (id) => {
      await webhooks.deleteOne({ _id: id });
    },
    disable: async (id, reason, at) => {
      await webhooks.updateOne({ _id: id, disabled: null }, { $set: { disabled: { at, reason } } });
    },
    succeeded: async (id, at) => {
      await webhooks.updateOne({ _id: id }, { $set: { lastSuccessAt: at, disabled: null } });
    },
  };
};
