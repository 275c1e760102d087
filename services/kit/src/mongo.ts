import { type Db, MongoClient } from 'mongodb';

export type Mongo = {
  readonly db: Db;
  readonly ping: (signal: AbortSignal) => Promise<unknown>;
  readonly close: () => Promise<void>;
};

/** Connects with majority, journaled writes: what this database has acknowledged survives any single failure. */
export const connectMongo = async (settings: {
  readonly url: string;
  readonly database: string;
  readonly appName: string;
}): Promise<Mongo> => {
  const client = new MongoClient(settings.url, {
    appName: settings.appName,
    writeConcern: { w: 'majority', journal: true, wtimeoutMS: 10_000 },
    readConcern: { level: 'majority' },
    retryWrites: true,
    maxPoolSize: 50,
    serverSelectionTimeoutMS: 10_000,
    socketTimeoutMS: 30_000,
    ignoreUndefined: true,
  });
  await client.connect();
  const db = client.db(settings.database);
  return { db, ping: () => db.command({ ping: 1 }), close: () => client.close() };
};
