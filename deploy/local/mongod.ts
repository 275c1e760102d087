import { mkdir } from 'node:fs/promises';
import { type Db, MongoClient, MongoServerError } from 'mongodb';
import type { Found } from './find-servers.ts';
import { freePort } from './ports.ts';
import { keptElsewhere, type Server, startProgram } from './server.ts';

const REPLICA_SET = 'rs0';
/** MongoDB's AlreadyInitialized. */
const ALREADY_INITIALIZED = 23;

/** Data made under another port name that address as their only member: it is told the new one. */
const keepAddress = async (admin: Db, address: string): Promise<void> => {
  const { config } = await admin.command({ replSetGetConfig: 1 });
  const [member] = config.members;
  if (member.host === address) return;
  const moved = { ...config, version: config.version + 1, members: [{ ...member, host: address }] };
  await admin.command({ replSetReconfig: moved, force: true });
};

/** Makes the one member primary; safe to repeat. Throws until it is. */
const becomePrimary = async (port: number): Promise<void> => {
  const address = `127.0.0.1:${port}`;
  const client = new MongoClient(`mongodb://${address}/?directConnection=true`, {
    serverSelectionTimeoutMS: 1_000,
  });
  try {
    const admin = client.db('admin');
    try {
      await admin.command({ replSetInitiate: { _id: REPLICA_SET, members: [{ _id: 0, host: address }] } });
    } catch (error) {
      if (!(error instanceof MongoServerError) || error.code !== ALREADY_INITIALIZED) throw error;
      await keepAddress(admin, address);
    }
    const { isWritablePrimary } = await admin.command({ hello: 1 });
    if (!isWritablePrimary) throw new Error('not primary yet');
  } finally {
    await client.close();
  }
};

/** One mongod as a replica set of its own on loopback; its data stay in `dbPath`. */
export const startMongod = async (
  found: Found,
  options: { dbPath: string; port?: number },
): Promise<Server> => {
  if ('url' in found) return keptElsewhere(found.url);
  if ('container' in found) {
    const { MongoDBContainer } = await import('@testcontainers/mongodb');
    const container = await new MongoDBContainer(found.container).start();
    const stop = async () => void (await container.stop());
    const url = `${container.getConnectionString()}/?directConnection=true`;
    return { url, pid: 0, exited: new Promise(() => {}), stop, kill: stop };
  }
  await mkdir(options.dbPath, { recursive: true });
  const port = options.port ?? (await freePort());
  const args = [
    '--dbpath',
    options.dbPath,
    '--port',
    String(port),
    '--bind_ip',
    '127.0.0.1',
    '--replSet',
    REPLICA_SET,
    '--quiet',
    '--wiredTigerCacheSizeGB',
    '0.25',
    '--setParameter',
    'diagnosticDataCollectionEnabled=false',
    // A service that is killed leaves its transaction open, and whoever tries again waits for that to end: not the minute
    // that is the default.
    '--setParameter',
    'transactionLifetimeLimitSeconds=10',
  ];
  return startProgram(found.binary, args, {
    url: `mongodb://127.0.0.1:${port}/?replicaSet=${REPLICA_SET}`,
    logFile: `${options.dbPath}.log`,
    ready: () => becomePrimary(port),
  });
};
