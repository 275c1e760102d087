import { rm } from 'node:fs/promises';
import { eventually } from '@esl/kit/testing/world';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { longDialogue, sample } from '../services/worker/test/lessons.ts';
import { type System, startSystem } from './system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.putLesson('short.md', await sample('the-lost-parcel'));
  await system.putLesson('long.md', await longDialogue('faults', 60));
}, 120_000);
afterAll(() => system?.stop());

const pidOf = (service: string) => {
  const { pid } = system.stack.info().services[service] ?? {};
  if (!pid) throw new Error(`${service} does not run`);
  return pid;
};
const kill = (pid: number) => process.kill(pid, 'SIGKILL');

/** Waits until the process was replaced and is healthy again. */
const isBack = (service: string, oldPid: number) =>
  eventually(async () => {
    const info = system.stack.info();
    const { pid, adminUrl } =
      service === 'gateway' ? { ...info.services.gateway, ...info.gateway } : (info.services[service] ?? {});
    if (!pid || pid === oldPid || !adminUrl) return null;
    return (await fetch(`${adminUrl}/readyz`).catch(() => null))?.ok ? true : null;
  }, 30_000);

const ended = (jobId: string, withinMs = 60_000) =>
  eventually(async () => {
    const job = await system.job(jobId).catch(() => null);
    return job?.finishedAt ? job : null;
  }, withinMs);

type Watcher = Awaited<ReturnType<System['watch']>>;
const sawEnd = (watcher: Watcher, jobId: string, state: string) =>
  eventually(() => (watcher.movesOf(jobId).at(-1) === state ? true : null), 20_000);

/** No event twice: a version is announced once by each kind. */
const eventIds = (watcher: Watcher) => watcher.seen.map(({ id }) => id).filter(Boolean);

describe('accepted jobs survive', () => {
  it('a kill of jobs between the database write and the publish', async () => {
    const watcher = await system.watch();
    const nats = system.stack.info().nats.pid;
    const jobs = pidOf('jobs');
    process.kill(nats, 'SIGSTOP');
    let jobId: string;
    try {
      jobId = await system.submit({ md: 'short.md' });
      kill(jobs);
    } finally {
      process.kill(nats, 'SIGCONT');
    }
    await isBack('jobs', jobs);
    expect((await ended(jobId)).state).toBe('succeeded');
    await sawEnd(watcher, jobId, 'succeeded');
    expect(watcher.movesOf(jobId)).toEqual(['queued', 'running', 'succeeded']);
    expect(new Set(eventIds(watcher)).size).toBe(eventIds(watcher).length);
  }, 120_000);

  it('a kill of the worker in the middle of a step', async () => {
    const watcher = await system.watch();
    const jobId = await system.submit({ md: 'long.md', withTts: true });
    await eventually(async () => ((await system.job(jobId)).progress?.step === 'tts' ? true : null), 30_000);
    const worker = pidOf('worker');
    kill(worker);
    await isBack('worker', worker);
    const job = await ended(jobId);
    expect(job).toMatchObject({ state: 'succeeded', attempt: 2 });
    await sawEnd(watcher, jobId, 'succeeded');
    expect(watcher.movesOf(jobId)).toEqual(['queued', 'running', 'queued', 'running', 'succeeded']);
  }, 120_000);

  it('a kill of the gateway, and its clients miss nothing', async () => {
    const watcher = await system.watch();
    const ids = [
      await system.submit({ md: 'short.md' }),
      await system.submit({ md: 'short.md', withTts: true }),
    ];
    const { pid } = system.stack.info().gateway;
    kill(pid);
    await isBack('gateway', pid);
    ids.push(await system.submit({ md: 'short.md' }));
    for (const jobId of ids) {
      expect((await ended(jobId)).state).toBe('succeeded');
      await sawEnd(watcher, jobId, 'succeeded');
      expect(watcher.movesOf(jobId)).toEqual(['queued', 'running', 'succeeded']);
    }
    expect(watcher.connections()).toBeGreaterThan(1);
    expect(watcher.resyncs()).toBe(0);
    expect(new Set(eventIds(watcher)).size).toBe(eventIds(watcher).length);
  }, 120_000);

  it('a restart of nats-server, and of mongod', async () => {
    const watcher = await system.watch();
    const ids = [await system.submit({ md: 'short.md', withTts: true })];
    const { nats, mongo } = system.stack.info();
    kill(nats.pid);
    await eventually(() => (system.stack.info().nats.pid !== nats.pid ? true : null), 30_000);
    ids.push(await system.submit({ md: 'short.md' }));
    kill(mongo.pid);
    await eventually(() => (system.stack.info().mongo.pid !== mongo.pid ? true : null), 30_000);
    ids.push(await eventually(() => system.submit({ md: 'short.md' }).catch(() => null), 60_000));
    for (const jobId of ids) {
      expect((await ended(jobId)).state).toBe('succeeded');
      await sawEnd(watcher, jobId, 'succeeded');
    }
  }, 180_000);

  it('the loss of all JetStream data; watchers are told to read again', async () => {
    const watcher = await system.watch();
    await system.putLesson('lost.md', await longDialogue('lost', 60));
    const ids = [
      await system.submit({ md: 'lost.md', withTts: true }),
      await system.submit({ md: 'short.md' }),
    ];
    const { nats } = system.stack.info();
    kill(nats.pid);
    await rm(nats.storeDir, { recursive: true, force: true });
    for (const jobId of ids) expect((await ended(jobId, 120_000)).state).toBe('succeeded');
    await eventually(() => (watcher.resyncs() > 0 ? true : null), 30_000);
    const after = await eventually(() => system.submit({ md: 'short.md' }).catch(() => null));
    expect((await ended(after)).state).toBe('succeeded');
    await sawEnd(watcher, after, 'succeeded');
  }, 240_000);
});
