import { execFileSync } from 'node:child_process';
import { connectBus } from '@esl/kit/bus';
import { createLog } from '@esl/kit/log';
import { connectMongo } from '@esl/kit/mongo';
import { STREAMS } from '@esl-pipeline/contracts/bus';
import { describe, expect, it } from 'vitest';
import { startMongod } from '../mongod.ts';
import { startNatsServer } from '../nats-server.ts';

const NATS_IMAGE = process.env.NATS_IMAGE ?? 'nats:2.15.2';
const MONGO_IMAGE = process.env.MONGO_IMAGE ?? 'mongo:7.0.14';
/** Pulling an image for the first time, in ms. */
const PULL_MS = 300_000;

const dockerAnswers = (): boolean => {
  try {
    execFileSync('docker', ['info'], { stdio: 'ignore', timeout: 5_000 });
    return true;
  } catch {
    return false;
  }
};

describe.runIf(dockerAnswers())('the servers in containers', { timeout: PULL_MS }, () => {
  it('are a NATS with JetStream', async () => {
    const server = await startNatsServer({ container: NATS_IMAGE }, { storeDir: 'unused' });
    try {
      const topology = { streams: [STREAMS.JOBS], consumers: [] };
      const log = createLog('test', 'silent');
      const bus = await connectBus({ url: server.url, name: 'test', replicas: 1, topology }, log);
      expect(await bus.jsm.streams.info('JOBS')).toMatchObject({ config: { name: 'JOBS' } });
      await bus.drain();
    } finally {
      await server.stop();
    }
  });

  it('are a MongoDB that has transactions, as a replica set', async () => {
    const server = await startMongod({ container: MONGO_IMAGE }, { dbPath: 'unused' });
    try {
      const mongo = await connectMongo({ url: server.url, database: 'test', appName: 'test' });
      await mongo.inTransaction(async (session) => {
        await mongo.db.collection('things').insertOne({ kept: true }, { session });
      });
      expect(await mongo.db.collection('things').countDocuments()).toBe(1);
      await mongo.close();
    } finally {
      await server.stop();
    }
  });
});
