import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Found, findServers } from '@esl/local/find-servers';
import { startMongod } from '@esl/local/mongod';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    mongoUrl: string;
    nats: Found;
  }
}

/** Finds the servers once a run and starts one mongod; each suite makes its own database and its own nats-server. */
export default async (project: TestProject): Promise<() => Promise<void>> => {
  // Suites stop, kill and wipe their servers: one that is kept elsewhere would not do.
  const servers = await findServers({ ...process.env, NATS_URL: undefined, MONGODB_URL: undefined });
  const home = await mkdtemp(join(tmpdir(), 'esl-tests-'));
  const mongod = await startMongod(servers.mongo, { dbPath: join(home, 'mongo') });
  project.provide('mongoUrl', mongod.url);
  project.provide('nats', servers.nats);
  return async () => {
    await mongod.stop();
    await rm(home, { recursive: true, force: true });
  };
};
