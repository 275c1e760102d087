import { type Collection, type Db, type Filter, MongoServerError } from 'mongodb';
import type { Session, User } from '../accounts/account.ts';
import type { SessionStore, Standing, UserStore } from '../accounts/needs.ts';

type Stored<T extends { readonly id: string }> = Omit<T, 'id'> & { readonly _id: string };

/** Error code 11000. */
export const isDuplicateKey = (error: unknown): boolean =>
  error instanceof MongoServerError && error.code === 11_000;

const toStored = <T extends { readonly id: string }>({ id, ...fields }: T): Stored<T> => ({
  ...fields,
  _id: id,
});
const fromStored = <T extends { readonly id: string }>({ _id, ...fields }: Stored<T>): T =>
  ({ ...fields, id: _id }) as unknown as T;

const escaped = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** Sessions of one user that are kept open; the least recently used one gives way. */
const MAX_SESSIONS = 100;

export const mongoUserStore = async (db: Db, clock: () => Date): Promise<UserStore> => {
  const users: Collection<Stored<User>> = db.collection('users');
  await users.createIndex({ email: 1 }, { unique: true, name: 'email' });
  const found = (stored: Stored<User> | null) => stored && fromStored<User>(stored);

  return {
    add: async (user) => {
      try {
        await users.insertOne(toStored(user));
        return 'added';
      } catch (error) {
        if (isDuplicateKey(error)) return 'email_taken';
        throw error;
      }
    },
    byId: async (id) => found(await users.findOne({ _id: id })),
    byEmail: async (email) => found(await users.findOne({ email })),
    change: async (id, change) => {
      try {
        const set = { ...change, ...('lastLoginAt' in change ? {} : { updatedAt: clock() }) };
        return found(await users.findOneAndUpdate({ _id: id }, { $set: set }, { returnDocument: 'after' }));
      } catch (error) {
        if (isDuplicateKey(error)) return 'email_taken';
        throw error;
      }
    },
    list: async ({ search, role, isActive, after, limit }) => {
      const filter: Filter<Stored<User>> = {
        ...(search !== null && { email: { $regex: escaped(search.toLowerCase()) } }),
        ...(role !== null && { role }),
        ...(isActive !== null && { isActive }),
      };
      const page = after === null ? filter : { ...filter, _id: { $lt: after } };
      const [shown, total] = await Promise.all([
        users.find(page).sort({ _id: -1 }).limit(limit).toArray(),
        users.countDocuments(filter),
      ]);
      return { users: shown.map((each) => fromStored<User>(each)), total };
    },
    count: () => users.estimatedDocumentCount(),
  };
};

export const mongoSessionStore = async (db: Db, clock: () => Date): Promise<SessionStore> => {
  const sessions: Collection<Stored<Session>> = db.collection('sessions');
  await sessions.createIndexes([
    { name: 'family', key: { familyHash: 1 }, unique: true },
    { name: 'user', key: { userId: 1, endedAt: 1, lastUsedAt: -1 } },
    { name: 'expiry', key: { expiresAt: 1 }, expireAfterSeconds: 0 },
  ]);
  const openOnes = () => ({ endedAt: null, expiresAt: { $gt: clock() } });

  return {
    open: async (session) => {
      await sessions.insertOne(toStored(session));
      const tooMany = await sessions
        .find({ userId: session.userId, endedAt: null })
        .sort({ lastUsedAt: -1 })
        .skip(MAX_SESSIONS)
        .project<{ _id: string }>({ _id: 1 })
        .toArray();
      if (tooMany.length > 0)
        await sessions.updateMany(
          { _id: { $in: tooMany.map(({ _id }) => _id) } },
          { $set: { endedAt: clock() } },
        );
    },
    byFamily: async (familyHash) => {
      const stored = await sessions.findOne({ familyHash });
      return stored && fromStored<Session>(stored);
    },
    rotate: async (familyHash, { from, to }, expiresAt) => {
      const stored = await sessions.findOneAndUpdate(
        { familyHash, secretHash: from, ...openOnes() },
        { $set: { secretHash: to, lastUsedAt: clock(), expiresAt } },
        { returnDocument: 'after' },
      );
      return stored && fromStored<Session>(stored);
    },
    ofUser: async (userId) => {
      const stored = await sessions
        .find({ userId, ...openOnes() })
        .sort({ lastUsedAt: -1 })
        .limit(MAX_SESSIONS)
        .toArray();
      return stored.map((each) => fromStored<Session>(each));
    },
    end: async (userId, { only, except } = {}) => {
      const { modifiedCount } = await sessions.updateMany(
        {
          userId,
          endedAt: null,
          ...(only !== undefined && { _id: only }),
          ...(except !== undefined && { _id: { $ne: except } }),
        },
        { $set: { endedAt: clock() } },
      );
      return modifiedCount;
    },
    standings: async (sessionIds) =>
      await sessions
        .aggregate<Standing>([
          { $match: { _id: { $in: [...sessionIds] } } },
          { $lookup: { from: 'users', localField: 'userId', foreignField: '_id', as: 'user' } },
          { $unwind: '$user' },
          {
            $project: {
              _id: 0,
              sessionId: '$_id',
              userId: 1,
              endedAt: 1,
              expiresAt: 1,
              role: '$user.role',
              isActive: '$user.isActive',
            },
          },
        ])
        .toArray(),
  };
};
