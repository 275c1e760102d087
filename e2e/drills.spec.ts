import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@esl/kit/testing/world';
import { backUp, restore } from '@esl/local/mongo-backup';
import { SERVICES, type Stack, startStack } from '@esl/local/stack';
import type { Job } from '@esl-pipeline/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { longDialogue, sample } from '../services/worker/test/lessons.ts';
import { type System, startSystem } from './system.ts';

// Disasters, and what docs/backup.md says to do about them. The loss of JetStream alone needs nothing to be done:
// faults.spec.ts has it.

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'esl-drill-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const state = () => join(home, 'state');
const backup = () => join(home, 'backup');
const placeOf = (stack: Stack) => ({
  url: stack.info().mongo.url,
  database: 'esl',
  blobDir: join(state(), 'blobs'),
});

const ended = ({ job }: System, jobId: string) =>
  eventually(async () => {
    const now = await job(jobId);
    return now.finishedAt ? now : null;
  }, 90_000);

/** Addresses carry the port, which differs from start to start. */
const withoutAddresses = ({ links, pageUrl, audioUrl, notionUrl, ...job }: Job) => job;

describe('the loss of everything', () => {
  it('is made good by a backup that was taken while the system worked', async () => {
    const before = await startSystem({ home: state() });
    await before.putLesson('short.md', await sample('the-lost-parcel'));
    await before.putLesson('long.md', await longDialogue('drill', 20));
    const done = await ended(before, await before.submit({ md: 'short.md', withTts: true }));
    const running = await before.submit({ md: 'long.md', withTts: true });
    await eventually(async () => ((await before.job(running)).state === 'running' ? true : null), 30_000);
    const queued = await before.submit({ md: 'short.md' });
    await backUp(placeOf(before.stack), backup());
    await before.submit({ md: 'short.md' });
    await before.stop();
    // The secrets are kept elsewhere: with them, and only with them, users log in and links hold.
    for (const lost of ['mongo', 'nats', 'blobs', 'lessons'])
      await rm(join(state(), lost), { recursive: true, force: true });

    const servers = await startStack({ home: state(), port: 0, without: SERVICES });
    await restore(placeOf(servers), backup());
    await servers.stop();

    const after = await startSystem({ home: state() });
    try {
      const watcher = await after.watch();
      const again = await after.job(done.jobId);
      expect(withoutAddresses(again)).toEqual(withoutAddresses(done));
      expect(await (await fetch(again.links.page ?? '')).text()).toContain('My parcel has not arrived');
      for (const jobId of [running, queued]) expect((await ended(after, jobId)).state).toBe('succeeded');
      await after.putLesson('new.md', await sample('street-party'));
      const fresh = await after.submit({ md: 'new.md' });
      expect((await ended(after, fresh)).state).toBe('succeeded');
      await eventually(() => (watcher.movesOf(fresh).at(-1) === 'succeeded' ? true : null));
    } finally {
      await after.stop();
    }
  }, 240_000);
});
