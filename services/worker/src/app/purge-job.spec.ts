import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesystemBlobStore } from '@esl/kit/blob-store';
import { createLog } from '@esl/kit/log';
import { expect, it } from 'vitest';
import { purgeJob } from './purge-job.ts';

const signal = new AbortController().signal;
const jobId = '01890a5d-ac96-774b-bcce-b302099a8057';

it('purging deletes what it is told and the manifest, says so, and never touches lesson texts', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'esl-purge-'));
  try {
    const blobs = filesystemBlobStore(folder);
    const manifest = `manifests/${jobId}.json`;
    const [page, other, lesson] = ['pages/ab/a.html', 'pages/ab/b.html', 'lessons/ab/a.md'];
    for (const key of [manifest, page, other, lesson])
      await blobs.put(key, Buffer.from('x'), { contentType: 'text/plain' }, signal);
    const told: string[] = [];
    const reports = { purged: async (id: string) => void told.push(id) };
    const purge = purgeJob({ blobs, reports, log: createLog('test', 'silent') });
    for (let again = 0; again < 2; again += 1)
      expect(await purge(jobId, [page, lesson, '../outside'])).toEqual({ kind: 'ack' });
    const left = await Promise.all(
      [manifest, page, other, lesson].map(async (key) => (await blobs.head(key, signal)) !== null),
    );
    expect(left).toEqual([false, false, true, true]);
    expect(told).toEqual([jobId, jobId]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
