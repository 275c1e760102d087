import { createHash } from 'node:crypto';
import { eventually } from '@esl/kit/testing/world';
import {
  artifactListSchema,
  batchAcceptedSchema,
  batchEventSchema,
  batchSchema,
  timelineSchema,
  webhookCreatedSchema,
} from '@esl-pipeline/contracts';
import { Webhook as Verifier } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Receiver, startReceiver } from '../services/actions/test/webhook-receiver.ts';
import { sample } from '../services/worker/test/lessons.ts';
import { type System, startSystem } from './system.ts';

let system: System;
let theirs: Receiver;
let lesson: string;
let broken: string;
beforeAll(async () => {
  system = await startSystem({
    env: { WEBHOOK_ALLOW_PRIVATE: 'true', WEBHOOK_TIMEOUT_MS: '2000' },
  });
  theirs = await startReceiver();
  lesson = await system.putLesson('lesson.md', await sample('morning-at-the-harbour'));
  broken = await system.putLesson('broken.md', await sample('broken-lesson'));
}, 120_000);
afterAll(async () => {
  theirs?.close();
  await system?.stop();
});

const webhookFor = async (events: string[]) => {
  const { status, body } = await system.post('/user/webhooks', { url: theirs.url, events });
  expect(status).toBe(201);
  return webhookCreatedSchema.strict().parse(body);
};
const finished = (jobId: string) =>
  eventually(async () => {
    const job = await system.job(jobId);
    return job.finishedAt ? job : null;
  }, 60_000);
const finishedBatch = (batchId: string) =>
  eventually(async () => {
    const batch = batchSchema.strict().parse((await system.get(`/batches/${batchId}`)).body);
    return batch.state === 'finished' ? batch : null;
  }, 60_000);

describe('a batch', () => {
  it('runs to its end, and says so once, to who watches and to a webhook', async () => {
    const { secret } = await webhookFor(['batch_finished']);
    const watcher = await system.watch();
    const items = [lesson, lesson, broken, lesson, lesson, lesson].map((md) => ({ md }));
    const accepted = await system.post('/jobs/batch', { items, name: 'Term' });
    expect(accepted.status).toBe(202);
    const { batchId, jobIds } = batchAcceptedSchema.strict().parse(accepted.body);
    const batch = await finishedBatch(batchId);
    expect(batch).toMatchObject({ total: 6, counts: { succeeded: 5, failed: 1, queued: 0, running: 0 } });

    const [receipt] = await theirs.received(1);
    const message = new Verifier(secret).verify(
      receipt?.body ?? '',
      receipt?.headers as Record<string, string>,
    );
    expect(message).toMatchObject({
      type: 'batch_finished',
      data: { batchId, name: 'Term', state: 'finished' },
    });
    const ends = await eventually(() => {
      const seen = watcher.seen.filter(({ name }) => name === 'batch_finished');
      return seen.length > 0 ? seen : null;
    });
    expect(ends.map(({ data }) => batchEventSchema.strict().parse(data))).toMatchObject([{ batchId }]);

    const retried = await system.post(`/batches/${batchId}/retry-failed`, {});
    const [again = ''] = (retried.body as { jobIds: string[] }).jobIds;
    expect(await finished(again)).toMatchObject({ parentJobId: jobIds[2], state: 'failed', md: broken });
  });
});

describe('a job’s page', () => {
  it('has its whole story, and what it made, byte for byte', async () => {
    const jobId = await system.submit({ md: 'lesson.md', priority: 'high' });
    await finished(jobId);
    const { entries } = timelineSchema.strict().parse((await system.get(`/jobs/${jobId}/timeline`)).body);
    const states = entries.flatMap((entry) => (entry.kind === 'state' ? [entry.state] : []));
    expect(states).toEqual(['queued', 'running', 'succeeded']);
    const steps = entries.flatMap((entry) => (entry.kind === 'step' ? [`${entry.step} ${entry.state}`] : []));
    expect(steps).toContain('import succeeded');
    const { artifacts } = artifactListSchema
      .strict()
      .parse((await system.get(`/jobs/${jobId}/artifacts`)).body);
    expect(artifacts.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['page', 'manifest']));
    for (const { url, bytes, sha256 } of artifacts) {
      const file = Buffer.from(await (await fetch(url)).arrayBuffer());
      expect([file.length, createHash('sha256').update(file).digest('hex')]).toEqual([bytes, sha256]);
    }
  });
});

describe('a webhook', () => {
  it('hears of every job although the service that calls it is killed meanwhile', async () => {
    const before = theirs.receipts.length;
    await webhookFor(['job_state_changed']);
    const pid = system.stack.info().services.actions?.pid ?? 0;
    const jobIds = [];
    for (let n = 0; n < 6; n += 1) {
      jobIds.push(await system.submit({ md: 'lesson.md' }));
      if (n === 2) process.kill(pid, 'SIGKILL');
    }
    for (const jobId of jobIds) await finished(jobId);
    const wanted = jobIds.flatMap((jobId) => [`${jobId} running`, `${jobId} succeeded`]);
    await eventually(() => {
      const heard = theirs.receipts
        .slice(before)
        .map(({ message }) => `${message.data.jobId} ${message.data.state}`);
      return wanted.every((each) => heard.includes(each)) ? true : null;
    }, 60_000);
    const ids = new Map(
      theirs.receipts
        .slice(before)
        .map(({ id: messageId, message }) => [messageId, `${message.data.jobId} ${message.data.state}`]),
    );
    expect([...ids.values()].filter((each) => wanted.includes(each))).toHaveLength(wanted.length);
  }, 90_000);
});
