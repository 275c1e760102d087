import { createHash } from 'node:crypto';
import type { Db } from 'mongodb';
import type { CatalogSource, VoiceStore } from '../app/needs.ts';

type VoicesDocument = {
  readonly _id: 'elevenlabs';
  /** Names the account without giving its key away: the voices of another one are none of ours. */
  readonly account: string;
  /** A hash of `text`; null until the first list has come. */
  readonly version: string | null;
  /** As in a voices file. */
  readonly text: string | null;
  readonly syncedAt: Date | null;
  /** When the list is to be read again, by whichever replica comes first. */
  readonly dueAt: Date;
};

const ID = 'elevenlabs';
const NAME = 'the voices of the ElevenLabs account';

const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** The synced voices in MongoDB, one list for all replicas. One operation may take `withinMs`. */
export const mongoVoices = (
  db: Db,
  { apiKey, withinMs }: { readonly apiKey: string; readonly withinMs: number },
): VoiceStore & { readonly source: CatalogSource } => {
  const lists = db.collection<VoicesDocument>('voices');
  const account = hash(`elevenlabs:${apiKey}`);
  const options = { timeoutMS: withinMs };
  let known: { readonly version: string; readonly text: string } | null = null;

  return {
    claim: async (now, nextAt) => {
      const nothing = { account, version: null, text: null, syncedAt: null, dueAt: nextAt };
      const other = await lists.findOneAndReplace({ _id: ID, account: { $ne: account } }, nothing, options);
      if (other) return true;
      const due = await lists.updateOne(
        { _id: ID, dueAt: { $lte: now } },
        { $set: { dueAt: nextAt } },
        options,
      );
      if (due.modifiedCount > 0) return true;
      const first = await lists.updateOne(
        { _id: ID },
        { $setOnInsert: nothing },
        { ...options, upsert: true },
      );
      return first.upsertedCount > 0;
    },
    put: async (text, now, nextAt) => {
      const list = { version: hash(text), text, syncedAt: now, dueAt: nextAt };
      await lists.updateOne({ _id: ID, account }, { $set: list }, options);
    },
    source: {
      read: async (signal) => {
        try {
          const version = known?.version ?? null;
          const found = await lists.findOne(
            { _id: ID, account, version: { $nin: [version, null] } },
            { ...options, signal },
          );
          if (found?.version && found.text !== null) known = { version: found.version, text: found.text };
          return known ? [{ kind: 'voices', name: NAME, text: known.text }] : [];
        } catch {
          signal.throwIfAborted();
          return [{ kind: 'voices', name: NAME, fault: 'cannot be read from the database' }];
        }
      },
    },
  };
};
