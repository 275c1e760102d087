import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { lock } from './lock.ts';

const run = promisify(execFile);

export const DOWNLOAD_MS = 300_000;
const CONNECT_MS = 5_000;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Ways to bring a program into a file, best first. */
export type Fetchers = Readonly<Record<string, (into: string, environment: Environment) => Promise<void>>>;

/** No way to get a program worked. The message lists each that was tried, and why it failed. */
export class ProgramNotFound extends Error {
  override name = 'ProgramNotFound';
}

/** Where programs that were fetched are kept. */
export const cacheFolder = (environment: Environment): string =>
  environment.ESL_CACHE ?? join(environment.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'esl-pipeline');

export const platform = process.platform;
export const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Downloads a file and checks it against the SHA-256 that its publisher lists. */
export const download = async (url: string, sumsUrl: string, file: string): Promise<void> => {
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
export const unpack = async (
  archive: string,
  folder: string,
  program: string,
  into: string,
): Promise<void> => {
  await run('tar', ['-xf', archive, '-C', folder], { timeout: DOWNLOAD_MS });
  const { stdout } = await run('find', [folder, '-type', 'f', '-name', program]);
  const found = stdout.split('\n')[0];
  if (!found) throw new Error(`no ${program} in ${archive}`);
  await rename(found, into);
};

export const inTemporaryFolder = async (
  beside: string,
  work: (folder: string) => Promise<void>,
): Promise<void> => {
  const folder = await mkdtemp(join(dirname(beside), '.fetch-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const reasonOf = (error: unknown): string => {
  const { message, cause } = error as Error;
  const why = cause instanceof Error ? `${message} (${cause.message})` : message;
  return why.trim().split('\n').slice(0, 3).join(' ').slice(0, 300);
};

/** Builds a program of a Go module into a file. */
export const goInstall = (pkg: string, program: string) => (into: string, environment: Environment) =>
  inTemporaryFolder(into, async (folder) => {
    await run('go', ['install', pkg], {
      cwd: folder,
      env: { ...environment, GOBIN: folder } as NodeJS.ProcessEnv,
      timeout: 600_000,
    });
    await rename(join(folder, program), into);
  });

const isThere = (file: string): string | null => {
  try {
    accessSync(file, constants.X_OK);
    return file;
  } catch {
    return null;
  }
};

export const onPath = (name: string, environment: Environment): string | null => {
  for (const folder of (environment.PATH ?? '').split(delimiter)) {
    const file = isThere(join(folder, name));
    if (file) return file;
  }
  return null;
};

/** Looks on the PATH and in the cache, then goes through the other ways, and fetches the program as the last resort. */
export const findProgram = async <Found>(
  program: {
    readonly name: string;
    readonly fetchers: Fetchers;
    /** Throws when the program does not run or is too old. */
    readonly check: (binary: string) => Promise<void>;
  },
  others: {
    readonly advice: string;
    readonly beforeFetching: Readonly<Record<string, () => Promise<Found>>>;
  },
  environment: Environment,
): Promise<Found | { readonly binary: string }> => {
  const tried: string[] = [];
  const attempt = async <T>(way: string, work: () => Promise<T | null>): Promise<T | null> => {
    try {
      const found = await work();
      if (!found) tried.push(`${way}: not there`);
      return found;
    } catch (error) {
      tried.push(`${way}: ${reasonOf(error)}`);
      return null;
    }
  };
  const usable = async (binary: string | null) => {
    if (!binary) return null;
    await program.check(binary);
    return { binary };
  };
  const cached = join(cacheFolder(environment), program.name);
  const here =
    (await attempt('PATH', () => usable(onPath(program.name, environment)))) ??
    (await attempt('cache', () => usable(isThere(cached))));
  if (here) return here;
  for (const [way, look] of Object.entries(others.beforeFetching)) {
    const found = await attempt(way, look);
    if (found) return found;
  }

  await mkdir(dirname(cached), { recursive: true });
  const held = await lock(`${cached}.lock`, () =>
    console.error(`waiting for another process that fetches ${program.name} …`),
  );
  try {
    const meanwhile = isThere(cached);
    if (meanwhile) return { binary: meanwhile };
    for (const [way, fetchInto] of Object.entries(program.fetchers)) {
      const fetched = await attempt(way, async () => {
        console.error(`fetching ${program.name}: ${way} …`);
        const fresh = `${cached}.${randomUUID()}`;
        await fetchInto(fresh, environment);
        await chmod(fresh, 0o755);
        await program.check(fresh);
        await rename(fresh, cached);
        return { binary: cached };
      });
      if (fetched) return fetched;
    }
  } finally {
    held.release();
  }
  const list = tried.map((line) => `  ${line}`).join('\n');
  throw new ProgramNotFound(`no ${program.name} was found. ${others.advice} Tried:\n${list}`);
};
