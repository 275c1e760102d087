import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contentTypeOf, filesystemBlobStore } from '@esl/kit/blob-store';
import { eventually } from '@esl/kit/testing/world';
import { startSystem } from '../e2e/system.ts';
import type { Ports } from '../services/worker/src/pipeline/run.ts';
import { runPipeline } from '../services/worker/src/pipeline/run-pipeline.ts';
import { localPublisher } from '../services/worker/src/publisher/local-publisher.ts';
import { sample } from '../services/worker/test/lessons.ts';
import { cpuMs, type Figure, load, systemClient } from './measure.ts';

const WARM = 300;
const LESSONS = 200;
const CONCURRENCY = 5;

/** CPU ms a lesson of the pipeline's steps alone: no bus, no database, no other process. */
const barePipeline = async (): Promise<number> => {
  const folder = await mkdtemp(join(tmpdir(), 'esl-bare-'));
  const blobs = filesystemBlobStore(folder);
  const now = () => new Date();
  const ports: Ports = {
    blobs,
    publisher: localPublisher({ blobs, now }),
    catalog: {
      resolve: async () => ({
        preset: null,
        voiceAccent: null,
        notionDatabase: null,
        voiceMap: { auto: true, speakers: {} },
        mode: null,
        ttsProvider: null,
      }),
    },
    narratorFor: () => Promise.reject(new Error('these lessons are not narrated')),
    now,
    checkLease: () => {},
  };
  const signal = new AbortController().signal;
  const lessonKey = 'lessons/ab/small.md';
  const text = Buffer.from(await sample('morning-at-the-harbour'));
  await blobs.put(lessonKey, text, { contentType: contentTypeOf(lessonKey) }, signal);
  const spec = {
    lessonKey,
    preset: null,
    withTts: false,
    upload: null,
    voiceId: null,
    voiceAccent: null,
    forceTts: false,
    notionDatabase: null,
    mode: null,
  };
  const run = async (index: number) => {
    const id = `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`;
    const end = await runPipeline({ id, attempt: 1, ownerId: 'ana', parentJobId: null, spec }, ports, signal);
    if (end.kind !== 'succeeded') throw new Error(`the bare pipeline ended ${end.kind}`);
  };
  await load(WARM, CONCURRENCY, run);
  const before = process.cpuUsage();
  await load(LESSONS, CONCURRENCY, (index) => run(WARM + index));
  const used = process.cpuUsage(before);
  await rm(folder, { recursive: true, force: true });
  return (used.user + used.system) / 1_000 / LESSONS;
};

/** What the same lessons cost over all services, from POST to final state. */
export const benchOverhead = async (): Promise<Figure[]> => {
  const bare = await barePipeline();
  const system = await startSystem({ env: { LOG_LEVEL: 'error' } });
  try {
    const md = await system.putLesson('small.md', await sample('morning-at-the-harbour'));
    const http = await systemClient(system, CONCURRENCY);
    const runAll = async (lessons: number) => {
      await load(lessons, CONCURRENCY, () => http.submit({ md }));
      await eventually(async () => {
        const { text } = await http.get('/jobs?state=queued,running&limit=1');
        return (JSON.parse(text) as { total: number }).total === 0 ? true : null;
      }, 120_000);
    };
    await runAll(WARM);
    const { services, nats, mongo } = system.stack.info();
    const pids = Object.entries(services).map(([name, { pid }]) => [name, pid] as const);
    const all = [...pids, ['nats', nats.pid] as const, ['mongod', mongo.pid] as const];
    const before = new Map(all.map(([name, pid]) => [name, cpuMs(pid)]));
    await runAll(LESSONS);
    const cost = all.map(([name, pid]) => [name, (cpuMs(pid) - (before.get(name) ?? 0)) / LESSONS] as const);
    http.close();
    const total = cost.slice(0, pids.length).reduce((sum, [, ms]) => sum + ms, 0);
    const parts = cost.map(([name, ms]) => `${name} ${ms.toFixed(1)}`).join(', ');
    return [
      {
        what: 'CPU of a small lesson over all services, against its pipeline steps alone',
        value: `${(total / bare).toFixed(1)} × (${total.toFixed(1)} ms against ${bare.toFixed(1)} ms; ${parts})`,
        target: '≤ 5 ×',
        met: total <= 5 * bare,
      },
    ];
  } finally {
    await system.stop();
  }
};
