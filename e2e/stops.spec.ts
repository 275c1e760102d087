import { eventually } from '@esl/kit/testing/world';
import { SERVICES, type ServiceName } from '@esl/local/stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dialogueOf, sample } from '../services/worker/test/lessons.ts';
import { type System, startSystem } from './system.ts';

/** What every service promises, in ms. */
const BUDGET_MS = 10_000;

let system: System;
const lines: string[] = [];
beforeAll(async () => {
  system = await startSystem({ log: (source, line) => void lines.push(`${source}: ${line}`) });
  await system.putLesson('quiet.md', await sample('the-lost-parcel'));
  await system.putLesson(
    'spoken.md',
    await dialogueOf(Array.from({ length: 4 }, (_, index) => `This is line ${index} of a long farewell.`)),
  );
}, 120_000);
afterAll(() => system?.stop());

type Watcher = Awaited<ReturnType<System['watch']>>;
const hasEnded = (watcher: Watcher, jobId: string) => watcher.movesOf(jobId).at(-1) === 'succeeded';

/** Each client submits, waits for the end and submits again, until told to stop; answers what was accepted. */
const steadyLoad = (watcher: Watcher) => {
  const accepted: string[] = [];
  let isOver = false;
  const client = async (index: number) => {
    while (!isOver) {
      const spoken = index === 0;
      const body = { md: spoken ? 'spoken.md' : 'quiet.md', withTts: spoken, forceTts: spoken };
      const jobId = await system.submit(body).catch(() => null);
      if (jobId) accepted.push(jobId);
      // A refused client does not come again at once.
      if (!jobId) await new Promise((resolve) => setTimeout(resolve, 100));
      else await eventually(() => (hasEnded(watcher, jobId) || isOver ? true : null), 60_000);
    }
  };
  const clients = Promise.all([0, 1, 2].map(client));
  return {
    count: () => accepted.length,
    end: async () => {
      isOver = true;
      await clients;
      return accepted;
    },
  };
};

const placeOf = (service: ServiceName) => {
  const { services } = system.stack.info();
  const { pid = 0, adminUrl = '' } = services[service] ?? {};
  return { pid, adminUrl };
};

const endLine = (service: ServiceName, from: number) =>
  eventually(
    () => lines.slice(from).find((line) => line.startsWith(`${service}: ended`)) ?? null,
    2 * BUDGET_MS,
  );

const isBack = (service: ServiceName, oldPid: number) =>
  eventually(async () => {
    const { pid, adminUrl } = placeOf(service);
    if (pid === oldPid) return null;
    return (await fetch(`${adminUrl}/readyz`).catch(() => null))?.ok ? true : null;
  }, 30_000);

describe('a service that is told to stop under load', () => {
  it.each(SERVICES)(
    '%s ends by itself, in time, and nothing is lost',
    async (service) => {
      const watcher = await system.watch();
      const load = steadyLoad(watcher);
      await eventually(() => (load.count() >= 4 ? true : null));
      const { pid } = placeOf(service);
      const from = lines.length;
      const toldAt = performance.now();
      process.kill(pid, 'SIGTERM');
      expect(await endLine(service, from)).toContain('(exit 0)');
      expect(performance.now() - toldAt).toBeLessThan(BUDGET_MS);
      expect(lines.slice(from).filter((line) => /stop step (is late|failed)/.test(line))).toEqual([]);

      await isBack(service, pid);
      const before = load.count();
      await eventually(() => (load.count() > before ? true : null), 30_000);
      const accepted = await load.end();
      for (const jobId of accepted) {
        await eventually(() => (hasEnded(watcher, jobId) ? true : null), 60_000);
        const moves = watcher.movesOf(jobId);
        expect([jobId, moves.filter((state) => state === 'succeeded').length]).toEqual([jobId, 1]);
        expect((await system.job(jobId)).state).toBe('succeeded');
      }
      expect(watcher.resyncs()).toBe(0);
      await watcher.stop();
    },
    120_000,
  );
});
