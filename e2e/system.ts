import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Stack, startStack } from '@esl/local/stack';
import { gatewayClient, watchJobs } from './watch.ts';

/** The whole system as real processes, with a state folder of its own. */
export const startSystem = async (options: { env?: Record<string, string>; without?: string[] } = {}) => {
  const home = await mkdtemp(join(tmpdir(), 'esl-e2e-'));
  const lessonsDir = join(home, 'lessons');
  const stack: Stack = await startStack({
    home,
    port: 0,
    without: options.without ?? [],
    env: { JOB_LEASE_MS: '3000', LEASE_RENEW_MS: '1000', LOG_LEVEL: 'warn', ...options.env },
  });
  const gateway = stack.info().gateway.url;
  const client = gatewayClient(gateway);
  const watchers: ReturnType<typeof watchJobs>[] = [];
  return {
    home,
    stack,
    gateway,
    ...client,
    lessonsDir,
    putLesson: (name: string, text: string) => writeFile(join(lessonsDir, name), text),
    watch: async () => {
      const watcher = watchJobs(gateway);
      watchers.push(watcher);
      await watcher.connected;
      return watcher;
    },
    stop: async () => {
      for (const watcher of watchers) await watcher.stop();
      await stack.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
};

export type System = Awaited<ReturnType<typeof startSystem>>;
