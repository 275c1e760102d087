import { randomUUID } from 'node:crypto';
import { type Db, MongoServerError } from 'mongodb';

/** The right to carry out a request. */
export type Claim = {
  readonly id: string;
  readonly token: string;
  /** What the ids of everything that the request makes come from. */
  readonly seed: string;
  /** When its key was first used. */
  readonly since: Date;
  /** False when another process may have begun before. */
  readonly isFirst: boolean;
};

export type Found =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  /** `body` is null when the answer is not to be kept. */
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly body: string | null;
      readonly claim: Claim;
    }
  | { readonly kind: 'other_request' }
  | { readonly kind: 'in_progress' };

/** Which requests were made under a key, and what was answered. */
export type IdempotencyKeys = {
  readonly claim: (id: string, fingerprint: string) => Promise<Found>;
  readonly answered: (
    claim: Claim,
    answer: { readonly status: number; readonly body: string | null },
  ) => Promise<void>;
  /** Lets the next request with the key carry it out, as if for the first time when `forget` is set. */
  readonly release: (claim: Claim, how: { readonly forget: boolean }) => Promise<void>;
};

type KeyDocument = {
  readonly _id: string;
  readonly fingerprint: string;
  readonly seed: string;
  readonly since: Date;
  /** Who carries it out, and until when it is believed to. */
  readonly token: string;
  readonly heldUntil: Date;
  readonly answer: { readonly status: number; readonly body: string | null } | null;
};

const KEPT_SECONDS = 86_400;
/**
 * How long a silent holder keeps a key, in ms: longer than any call that it makes may take. One that is slower still
 * does no harm, since who takes over makes the same things under the same ids.
 */
const HELD_MS = 15_000;
const DUPLICATE_KEY = 11_000;

export const openIdempotencyKeys = async (db: Db, now: () => number): Promise<IdempotencyKeys> => {
  const keys = db.collection<KeyDocument>('idempotency_keys');
  await keys.createIndexes([{ name: 'kept', key: { since: 1 }, expireAfterSeconds: KEPT_SECONDS }]);
  const heldUntil = () => new Date(now() + HELD_MS);

  const begin = async (id: string, fingerprint: string): Promise<Claim | null> => {
    const claim = { token: randomUUID(), seed: randomUUID(), since: new Date(now()) };
    try {
      await keys.insertOne({ _id: id, fingerprint, ...claim, heldUntil: heldUntil(), answer: null });
      return { id, ...claim, isFirst: true };
    } catch (error) {
      if (error instanceof MongoServerError && error.code === DUPLICATE_KEY) return null;
      throw error;
    }
  };

  const takeOver = async ({ _id, token: old, seed, since }: KeyDocument): Promise<Claim | null> => {
    const token = randomUUID();
    const { modifiedCount } = await keys.updateOne(
      { _id, token: old, answer: null },
      { $set: { token, heldUntil: heldUntil() } },
    );
    return modifiedCount === 1 ? { id: _id, token, seed, since, isFirst: false } : null;
  };

  return {
    claim: async (id, fingerprint) => {
      const begun = await begin(id, fingerprint);
      if (begun) return { kind: 'claimed', claim: begun };
      const there = await keys.findOne({ _id: id });
      if (!there) return { kind: 'in_progress' };
      if (there.fingerprint !== fingerprint) return { kind: 'other_request' };
      const { token, seed, since, answer } = there;
      if (answer) return { kind: 'answered', ...answer, claim: { id, token, seed, since, isFirst: false } };
      if (there.heldUntil.getTime() > now()) return { kind: 'in_progress' };
      const taken = await takeOver(there);
      return taken ? { kind: 'claimed', claim: taken } : { kind: 'in_progress' };
    },
    answered: async ({ id }, answer) => {
      // Whoever answers, answers the same: the ids are the seed's.
      await keys.updateOne({ _id: id, answer: null }, { $set: { answer } });
    },
    release: async ({ id, token }, { forget }) => {
      if (forget) await keys.deleteOne({ _id: id, token, answer: null });
      else await keys.updateOne({ _id: id, token, answer: null }, { $set: { heldUntil: new Date(0) } });
    },
  };
};
