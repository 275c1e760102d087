import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '@esl/kit/testing/world';
import { startSystem } from '../e2e/system.ts';
import { sample } from '../services/worker/test/lessons.ts';
import { type Figure, load, rssMb, systemClient } from './measure.ts';

const JOBS = 10_000;

/** Resident memory of each service when idle, and what 10,000 jobs leave behind. */
export const benchMemory = async (): Promise<Figure[]> => {
  const system = await startSystem({ env: { LOG_LEVEL: 'error' } });
  try {
    const md = await system.putLesson('small.md', await sample('morning-at-the-harbour'));
    const services = () =>
      Object.entries(system.stack.info().services).map(([name, { pid }]) => [name, pid] as const);
    await delay(3_000);
    const idle = services().map(([name, pid]) => [name, rssMb(pid)] as const);
    const http = await systemClient(system, 16);
    const runAll = async (jobs: number) => {
      let last = '';
      await load(jobs, 16, async () => {
        last = await http.submit({ md });
      });
      await eventually(async () => {
        const { text } = await http.get('/jobs?state=queued,running&limit=1');
        return (JSON.parse(text) as { total: number }).total === 0 ? true : null;
      }, 600_000);
      return last;
    };
    await runAll(JOBS / 2);
    await delay(3_000);
    const half = new Map(services().map(([name, pid]) => [name, rssMb(pid)]));
    await runAll(JOBS / 2);
    await delay(3_000);
    const full = services().map(([name, pid]) => [name, rssMb(pid)] as const);
    http.close();
    const most = Math.max(...idle.map(([, mb]) => mb));
    const grown = full.map(([name, mb]) => [name, mb - (half.get(name) ?? mb)] as const);
    const worst = Math.max(...grown.map(([, mb]) => mb));
    const list = (rows: readonly (readonly [string, number])[]) =>
      rows.map(([name, mb]) => `${name} ${mb.toFixed(0)}`).join(', ');
    return [
      { what: 'idle memory of a service, MB', value: list(idle), target: '≤ 120', met: most <= 120 },
      { what: 'memory after 10,000 jobs, MB', value: list(full), target: 'no growth', met: worst < 20 },
      { what: 'of that, grown in the second 5,000, MB', value: list(grown), target: '< 20', met: worst < 20 },
    ];
  } finally {
    await system.stop();
  }
};
