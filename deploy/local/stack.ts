import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newSigningKey } from '../../services/gateway/src/accounts/new-signing-key.ts';
import { cacheFolder } from './fetch-program.ts';
import { findServers } from './find-servers.ts';
import { tryLock } from './lock.ts';
import { startMongod } from './mongod.ts';
import { startNatsServer } from './nats-server.ts';
import { freePorts, isPortFree } from './ports.ts';
import { commandOf, endProcess } from './process-table.ts';
import type { Server } from './server.ts';
import { isReady, type Supervised, startService, supervise } from './supervise.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

export const SERVICES = ['config', 'jobs', 'actions', 'worker', 'gateway'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** The reverse of the way a lesson takes: what asks is stopped before what answers. */
const STOP_ORDER: readonly ServiceName[] = ['gateway', 'worker', 'actions', 'jobs', 'config'];
const READY_MS = 60_000;
/** Together under the 10 s that a stop may take; the worker alone may use 6 s to finish its steps. */
const SERVICES_STOP_MS = 8_000;
const SERVERS_STOP_MS = 1_500;

/** What `stack.json` holds, kept current. A server that is kept elsewhere has pid 0. */
export type StackInfo = {
  readonly gateway: { readonly url: string; readonly pid: number };
  readonly services: Readonly<
    Record<string, { readonly pid: number; readonly adminUrl: string; readonly grpc?: string }>
  >;
  readonly nats: { readonly url: string; readonly pid: number; readonly storeDir: string };
  readonly mongo: { readonly url: string; readonly pid: number; readonly dbPath: string };
};

export type Stack = {
  readonly info: () => StackInfo;
  /** Stops everything in order, within 10 s. */
  readonly stop: () => Promise<void>;
};

export type StackOptions = {
  /** Folder of all state (ESL_HOME). */
  readonly home: string;
  /** The gateway's port; 0 takes a free one. */
  readonly port: number;
  readonly without?: readonly string[];
  readonly replicas?: Readonly<Record<string, number>>;
  /** Added to this process's environment for every service. */
  readonly env?: Readonly<Record<string, string>>;
  /** Gets every line of every process. */
  readonly log?: (source: string, line: string) => void;
  /** Gives up starting, and stops what runs already, when it fires. */
  readonly signal?: AbortSignal;
  readonly command?: (service: ServiceName) => readonly string[];
};

/** The stack cannot start, for a reason that its user can mend. */
export class CannotStart extends Error {
  override name = 'CannotStart';
}

/** A small young generation: services hold little, and what they drop shall be collected soon. */
const NODE_FLAGS = ['--max-semi-space-size=4'];

const serviceCommand = (service: ServiceName) => [
  process.execPath,
  ...NODE_FLAGS,
  join(root, 'services', service, 'src/main.ts'),
];

/** What signs links and access tokens, and what users' own secrets are sealed with (`SECRETS_KEYS`). */
type Secrets = { readonly linkSecret: string; readonly signingKey: object; readonly sealKey: string };

/** Made once and kept with the state that depends on them; what an older file lacks is added. */
const readSecrets = async (home: string): Promise<Secrets> => {
  const file = join(home, 'secrets.json');
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}';
    throw new CannotStart(`${file} cannot be read`);
  });
  const fresh = {
    linkSecret: randomBytes(32).toString('hex'),
    signingKey: newSigningKey(),
    sealKey: randomBytes(32).toString('base64'),
  };
  const secrets: Secrets = { ...fresh, ...(JSON.parse(kept) as Partial<Secrets>) };
  if (JSON.stringify(secrets) !== kept) await writeFile(file, JSON.stringify(secrets), { mode: 0o600 });
  return secrets;
};

/** Those that keep or use users' secrets. */
const SEALING: readonly ServiceName[] = ['gateway', 'actions', 'worker'];
/** Those that show users links to files. */
const LINKING: readonly ServiceName[] = ['gateway', 'actions'];

/** Ends the servers that an earlier stack left behind when it was killed. */
const endLeftovers = async (file: string): Promise<void> => {
  const left = await readFile(file, 'utf8').catch(() => null);
  if (!left) return;
  const { nats, mongo } = JSON.parse(left) as StackInfo;
  for (const [pid, folder] of [
    [nats.pid, nats.storeDir],
    [mongo.pid, mongo.dbPath],
  ] as const) {
    if (pid > 0 && commandOf(pid)?.includes(folder)) await endProcess(pid, 3_000);
  }
  await rm(file, { force: true });
};

/** Starts nats-server, mongod and the services, and resolves when all are healthy. */
export const startStack = async (options: StackOptions): Promise<Stack> => {
  const { home, without = [], replicas = {}, log = () => {}, command = serviceCommand } = options;
  await mkdir(join(home, 'lessons'), { recursive: true });
  const lock = tryLock(join(home, 'stack.lock'));
  if (!('release' in lock)) throw new CannotStart(`a stack runs in ${home} already (process ${lock.heldBy})`);
  const stackFile = join(home, 'stack.json');
  const running: { readonly name: string; readonly supervised: Supervised }[] = [];
  const failed = new AbortController();
  const giveUp = () => failed.abort(options.signal?.reason);
  options.signal?.addEventListener('abort', giveUp, { once: true });
  const stop = async (): Promise<void> => {
    options.signal?.removeEventListener('abort', giveUp);
    failed.abort(new Error('stopping'));
    const deadline = Date.now() + SERVICES_STOP_MS;
    for (const name of STOP_ORDER) {
      const left = Math.max(deadline - Date.now(), 0);
      await Promise.all(
        running.filter((one) => one.name === name).map(({ supervised }) => supervised.stop(left)),
      );
    }
    const servers = running.filter(({ name }) => name === 'servers');
    await Promise.all(servers.map(({ supervised }) => supervised.stop(SERVERS_STOP_MS)));
    await rm(stackFile, { force: true });
    lock.release();
  };

  try {
    if (options.port !== 0 && !(await isPortFree(options.port))) {
      throw new CannotStart(`port ${options.port} is taken; set PORT to a free one`);
    }
    await endLeftovers(stackFile);
    const servers = await findServers();
    const counts = SERVICES.filter((name) => !without.includes(name)).map(
      (name) => [name, replicas[name] ?? 1] as const,
    );
    const instances = counts.flatMap(([service, count]) =>
      Array.from({ length: count }, (_, index) => ({
        service,
        id: index === 0 ? service : `${service}-${index + 1}`,
      })),
    );
    const [natsPort = 0, mongoPort = 0, gatewayPort = 0, ...ports] = await freePorts(
      3 + 2 * instances.length,
    );
    const port = options.port || gatewayPort;
    const gatewayUrl = `http://127.0.0.1:${port}`;
    const storeDir = join(home, 'nats');
    const dbPath = join(home, 'mongo');

    const info: {
      gateway: StackInfo['gateway'];
      services: Record<string, StackInfo['services'][string]>;
      nats: StackInfo['nats'];
      mongo: StackInfo['mongo'];
    } = {
      gateway: { url: gatewayUrl, pid: 0 },
      services: {},
      nats: { url: '', pid: 0, storeDir },
      mongo: { url: '', pid: 0, dbPath },
    };
    let writing = Promise.resolve();
    const write = () => {
      writing = writing.then(async () => {
        await writeFile(`${stackFile}.new`, `${JSON.stringify(info, null, 2)}\n`);
        await rename(`${stackFile}.new`, stackFile);
      });
      return writing;
    };

    const startServer = async (name: 'nats' | 'mongo', start: () => Promise<Server>) => {
      const onStart = ({ url, pid }: Server) => {
        if (name === 'nats') info.nats = { url, pid, storeDir };
        else info.mongo = { url, pid, dbPath };
        void write();
      };
      running.push({
        name: 'servers',
        supervised: await supervise(start, onStart, (line) => log(name, line)),
      });
    };
    await Promise.all([
      startServer('nats', () => startNatsServer(servers.nats, { storeDir, port: natsPort })),
      startServer('mongo', () => startMongod(servers.mongo, { dbPath, port: mongoPort })),
    ]);

    const places = instances.map((instance, index) => ({
      ...instance,
      adminPort: ports[2 * index] ?? 0,
      grpcPort: ports[2 * index + 1] ?? 0,
    }));
    const addressesOf = (service: ServiceName) =>
      places
        .filter((place) => place.service === service)
        .map(({ grpcPort }) => `127.0.0.1:${grpcPort}`)
        .join(',') || '127.0.0.1:1';
    const common: NodeJS.ProcessEnv = {
      NODE_ENV: 'development',
      ESL_PIPELINE_CONFIG_DIR: join(root, 'configs'),
      LESSONS_DIR: join(home, 'lessons'),
      BLOB_DIR: join(home, 'blobs'),
      // Keeps the type stripper, 30 MB of it, out of every process but the first.
      NODE_COMPILE_CACHE: join(cacheFolder(process.env), 'compiled'),
      ...process.env,
      ...options.env,
      BIND_HOST: '127.0.0.1',
      EXIT_WITH_PARENT: '1',
      NATS_URL: info.nats.url,
      MONGODB_URL: info.mongo.url,
      MONGODB_DB: 'esl',
      JOBS_ADDR: addressesOf('jobs'),
      ACTIONS_ADDR: addressesOf('actions'),
      CONFIG_ADDR: addressesOf('config'),
      LESSONS_ADDR: addressesOf('worker'),
    };
    const secrets = await readSecrets(home);
    const linkEnv = { PUBLIC_URL: gatewayUrl, LINK_SECRET: secrets.linkSecret };
    const jwtKeys = JSON.stringify({ keys: [secrets.signingKey] });
    const sealEnv = { SECRETS_KEYS: common.SECRETS_KEYS || `local:${secrets.sealKey}` };
    const environmentOf = ({
      service,
      id,
      adminPort,
      grpcPort,
    }: (typeof places)[number]): NodeJS.ProcessEnv => ({
      ...common,
      ADMIN_PORT: String(adminPort),
      GRPC_PORT: String(grpcPort),
      ...(service === 'worker' && { WORKER_ID: `${id}-${randomBytes(4).toString('hex')}` }),
      ...(LINKING.includes(service) && linkEnv),
      ...(SEALING.includes(service) && sealEnv),
      ...(service === 'gateway' && { PORT: String(port), JWT_KEYS: common.JWT_KEYS || jwtKeys }),
    });

    const startInstance = async (place: (typeof places)[number]) => {
      const { service, id, adminPort, grpcPort } = place;
      const adminUrl = `http://127.0.0.1:${adminPort}`;
      const onStart = ({ pid }: Server) => {
        info.services[id] = {
          pid,
          adminUrl,
          ...(service !== 'gateway' && { grpc: `127.0.0.1:${grpcPort}` }),
        };
        if (id === 'gateway') info.gateway = { url: gatewayUrl, pid };
        void write();
      };
      const lastLines: string[] = [];
      const onLine = (line: string) => {
        lastLines.push(line);
        if (lastLines.length > 20) lastLines.shift();
        log(id, line);
      };
      const firstEnd = Promise.withResolvers<never>();
      firstEnd.promise.catch(() => {});
      const start = async () => {
        const server = startService(command(service), environmentOf(place), onLine);
        void server.exited.then(() => firstEnd.reject(new Error('it ended')));
        return server;
      };
      // A service that was left out on purpose may be what another one's readiness asks for.
      const probe = `${adminUrl}/${without.length > 0 ? 'livez' : 'readyz'}`;
      running.push({ name: service, supervised: await supervise(start, onStart, onLine) });
      await Promise.race([isReady(probe, READY_MS, failed.signal), firstEnd.promise]).catch(
        (error: unknown) => {
          throw new CannotStart(
            `${id} did not become ready: ${(error as Error).message}\n${lastLines.join('\n')}`,
          );
        },
      );
    };
    await Promise.all(places.map(startInstance));
    await write();
    return { info: () => structuredClone(info), stop };
  } catch (error) {
    await stop();
    throw error;
  }
};
