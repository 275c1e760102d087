import { type Db, MongoClient } from 'mongodb';

export type Mongo = {
  readonly db: Db;
  readonly ping: (signal: AbortSignal) => Promise<unknown>;
  readonly close: () => Promise<void>;
};

export type MongoSettings = {
  readonly url: string;
  readonly database: string;
  readonly appName: string;
  /** How long an operation looks for a server, in ms. */
  readonly findServerMs?: number;
};

/**
 * Majority, journaled writes: what this database has acknowledged survives any single failure. Connects with the first
 * operation, for a service that has other work to do while the database is away.
 */
export const openMongo = (settings: MongoSettings): Mongo => {
  const client = new MongoClient(settings.url, {
    appName: settings.appName,
    writeConcern: { w: 'majority', journal: true, wtimeoutMS: 10_000 },
    readConcern: { level: 'majority' },
    retryWrites: true,
    maxPoolSize: 50,
    serverSelectionTimeoutMS: settings.findServerMs ?? 10_000,
    socketTimeoutMS: 30_000,
    ignoreUndefined: true,
  });
  const db = client.db(settings.database);
  return { db, ping: () => db.command({ ping: 1 }), close: () => client.close() };
};

/** As `openMongo`, and fails at once when there is no database. */
export const connectMongo = async (settings: MongoSettings): Promise<Mongo> => {
  const mongo = openMongo(settings);
  try {
    await mongo.db.client.connect();
    return mongo;
  } catch (error) {
    await mongo.close();
    throw error;
  }
};
