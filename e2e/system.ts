import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@esl/kit/testing/world';
import { localAccount } from '@esl/local/account';
import { type Stack, startStack } from '@esl/local/stack';
import { gatewayClient, watchJobs } from './watch.ts';

/** The whole system as real processes, with a state folder of its own. */
export const startSystem = async (
  options: {
    env?: Record<string, string>;
    without?: string[];
    replicas?: Record<string, number>;
    /** A folder of an earlier system, to go on in; otherwise a new one, which goes with the system. */
    home?: string;
    log?: (source: string, line: string) => void;
  } = {},
) => {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'esl-e2e-')));
  const lessonsDir = join(home, 'lessons');
  const stack: Stack = await startStack({
    home,
    port: 0,
    without: options.without ?? [],
    replicas: options.replicas ?? {},
    ...(options.log && { log: options.log }),
    env: {
      JOB_LEASE_MS: '6000',
      LEASE_RENEW_MS: '1000',
      LOG_LEVEL: 'warn',
      JWT_EXPIRES_IN: '12h',
      UPLOAD_RATE_LIMIT: '10000',
      UPLOAD_BURST_LIMIT: '10000',
      ...options.env,
    },
  });
  const gateway = stack.info().gateway.url;
  // A stack that lacks a service is only known to be alive: until the gateway serves it answers 503 to everything.
  await eventually(async () => ((await fetch(`${gateway}/healthz`)).status === 200 ? true : null), 60_000);
  const account = await localAccount(gateway, home);
  /** What jobs name a lesson by, by the name that a spec has given it. */
  const references = new Map<string, string>();
  const client = gatewayClient(gateway, account, references);
  const watchers: ReturnType<typeof watchJobs>[] = [];
  return {
    home,
    stack,
    gateway,
    ...client,
    lessonsDir,
    account,
    /** Answers what a job names the lesson by; `submit` also knows it by this name. */
    putLesson: async (name: string, text: string): Promise<string> => {
      if (account) references.set(name, await account.upload(name, Buffer.from(text)));
      else await writeFile(join(lessonsDir, name), text);
      return references.get(name) ?? name;
    },
    watch: async () => {
      const watcher = watchJobs(gateway, account);
      watchers.push(watcher);
      await watcher.connected;
      return watcher;
    },
    stop: async () => {
      for (const watcher of watchers) await watcher.stop();
      await stack.stop();
      if (!options.home) await rm(home, { recursive: true, force: true });
    },
  };
};

export type System = Awaited<ReturnType<typeof startSystem>>;
