import { setTimeout as delay } from 'node:timers/promises';
import {
  type ClientSession,
  type Db,
  MongoClient,
  MongoServerError,
  MongoServerSelectionError,
} from 'mongodb';

/** How long a first connection may take, in ms: a replica set of three on new volumes needs most of a minute. */
const FIRST_CONNECT_MS = 120_000;

export type Mongo = {
  readonly db: Db;
  /** Does what `work` writes in its session as one, or not at all. `work` may be called again after a passing fault. */
  readonly inTransaction: (work: (session: ClientSession) => Promise<void>) => Promise<void>;
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
  return {
    db,
    inTransaction: (work) => client.withSession((session) => session.withTransaction(work)),
    ping: () => db.command({ ping: 1 }),
    close: () => client.close(),
  };
};

/** MongoDB's AuthenticationFailed: also what it says before its users have been made. */
const AUTHENTICATION_FAILED = 18;
const RETRY_MS = 500;

const isEarly = (error: unknown): boolean =>
  error instanceof MongoServerSelectionError ||
  (error instanceof MongoServerError && error.code === AUTHENTICATION_FAILED);

/**
 * As `openMongo`, for a service that can do nothing without its database: resolves once there is one. Whole clusters
 * start at once, and a process that gave up would be held back by its orchestrator for longer than the database needs.
 */
export const connectMongo = async (settings: MongoSettings): Promise<Mongo> => {
  const mongo = openMongo(settings);
  const giveUpAt = Date.now() + FIRST_CONNECT_MS;
  for (;;) {
    try {
      await mongo.db.client.connect();
      return mongo;
    } catch (error) {
      if (isEarly(error) && Date.now() < giveUpAt) {
        await delay(RETRY_MS);
        continue;
      }
      await mongo.close();
      throw error;
    }
  }
};
