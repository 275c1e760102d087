import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNatsServer } from '@esl/local/nats-server';
import { inject } from 'vitest';
import { type Bus, connectBus } from '../src/bus.ts';
import { createLog, type Log } from '../src/log.ts';
import { connectMongo, type Mongo } from '../src/mongo.ts';
import type { Running } from '../src/service.ts';
import { shutDown } from '../src/shut-down.ts';
import type { Topology } from '../src/topology.ts';

/** What a suite works with, all its own: a nats-server, a database, a folder. Disposal stops what was started, last first. */
export type World = AsyncDisposable & {
  readonly folder: string;
  readonly natsUrl: string;
  readonly database: string;
  /** Environment of a service in this world: free ports, quiet log. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: Log;
  readonly mongo: Mongo;
  readonly connectBus: (topology: Topology) => Promise<Bus>;
  /** Stops the nats-server, runs `meanwhile`, starts it again on the same port; `wipe` deletes all its data. */
  readonly restartNats: (options?: {
    wipe?: boolean;
    kill?: boolean;
    meanwhile?: () => Promise<void>;
  }) => Promise<void>;
  /** Stops a service with this world, in its own order, before the servers. */
  readonly run: <R extends Running>(running: Promise<R>) => Promise<R>;
  readonly defer: (dispose: () => Promise<unknown> | unknown) => void;
};

export const openWorld = async (): Promise<World> => {
  const folder = await mkdtemp(join(tmpdir(), 'esl-world-'));
  const storeDir = join(folder, 'nats');
  const found = inject('nats');
  const mongoUrl = inject('mongoUrl');
  const database = `test_${randomUUID().replaceAll('-', '')}`;
  let nats = await startNatsServer(found, { storeDir });
  const port = Number(new URL(nats.url).port);
  const log = createLog('test', process.env.TEST_LOG_LEVEL ?? 'silent');
  const mongo = await connectMongo({ url: mongoUrl, database, appName: 'test' });
  const disposals: (() => Promise<unknown> | unknown)[] = [];
  const defer: World['defer'] = (dispose) => void disposals.push(dispose);
  defer(() => rm(folder, { recursive: true, force: true }));
  defer(() => nats.stop());
  defer(() => mongo.close());
  defer(() => mongo.db.dropDatabase());
  return {
    folder,
    natsUrl: nats.url,
    database,
    log,
    mongo,
    env: {
      NODE_ENV: 'test',
      LOG_LEVEL: 'silent',
      BIND_HOST: '127.0.0.1',
      ADMIN_PORT: '0',
      GRPC_PORT: '0',
      NATS_URL: nats.url,
      MONGODB_URL: mongoUrl,
      MONGODB_DB: database,
    },
    connectBus: async (topology) => {
      const bus = await connectBus({ url: nats.url, name: 'test', replicas: 1, topology }, log);
      defer(() => bus.nc.close());
      return bus;
    },
    restartNats: async ({ wipe = false, kill = false, meanwhile } = {}) => {
      if (kill) await nats.kill('SIGKILL');
      else await nats.stop();
      if (wipe) await rm(storeDir, { recursive: true, force: true });
      await meanwhile?.();
      nats = await startNatsServer(found, { storeDir, port });
    },
    run: async (starting) => {
      const running = await starting;
      defer(() => shutDown(running.stop, log));
      return running;
    },
    defer,
    [Symbol.asyncDispose]: async () => {
      for (const dispose of disposals.reverse()) await dispose();
    },
  };
};

/** Resolves with what `probe` finds, asking again until it is not null, or fails after `withinMs`. */
export const eventually = async <T>(
  probe: () => Promise<T | null> | T | null,
  withinMs = 15_000,
): Promise<T> => {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await probe();
    if (found !== null) return found;
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
