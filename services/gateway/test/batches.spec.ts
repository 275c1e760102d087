import { randomUUID } from 'node:crypto';
import { eventually } from '@esl/kit/testing/world';
import { batchAcceptedSchema, batchListSchema, batchSchema, jobListSchema } from '@esl-pipeline/contracts';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { client, expectProblem, type GatewayWorld, openGatewayWorld, stranger } from './gateway-world.ts';

let system: GatewayWorld;
let url: string;
let http: ReturnType<typeof client>;
beforeAll(async () => {
  system = await openGatewayWorld();
  ({ url } = await system.startGateway());
  http = client(url);
  await system.writeLesson('lesson.md');
});
afterAll(() => system.world[Symbol.asyncDispose]());

const submit = async (items: object[], more: object = {}) => {
  const answer = await http.post('/jobs/batch', { items, ...more });
  expect(answer.status).toBe(202);
  return batchAcceptedSchema.strict().parse(answer.body);
};
const read = async (batchId: string) =>
  batchSchema.strict().parse((await http.send(`/batches/${batchId}`)).body);
const item = { md: 'lesson.md' };

describe('a batch', () => {
  it('is 500 lessons, accepted together, in their order', async () => {
    await Promise.all(Array.from({ length: 5 }, (_, n) => system.writeLesson(`unit-${n}.md`, `# ${n}\n`)));
    const items = Array.from({ length: 500 }, (_, n) => ({ md: `unit-${n % 5}.md`, preset: `p-${n}` }));
    const { batchId, jobIds } = await submit(items, { name: 'Autumn term' });
    expect(new Set(jobIds).size).toBe(500);
    for (const n of [0, 1, 250, 499])
      expect((await http.send(`/jobs/${jobIds[n]}`)).body).toMatchObject({
        ...items[n],
        batchId,
        jobId: jobIds[n],
      });
    const batch = await read(batchId);
    expect(batch).toMatchObject({
      batchId,
      name: 'Autumn term',
      total: 500,
      state: 'running',
      finishedAt: null,
    });
    const { queued, running } = batch.counts;
    expect(queued + running).toBe(500);
    expect(jobListSchema.parse((await http.send(`/jobs?batchId=${batchId}`)).body).total).toBe(500);
  });

  it('is cancelled as a whole, and tells how many it was', async () => {
    const { batchId, jobIds } = await submit([item, item, item]);
    const answer = await http.post(`/batches/${batchId}/cancel`, { reason: 'wrong term' });
    expect([answer.status, answer.body]).toEqual([200, { cancelled: 3 }]);
    expect((await http.send(`/jobs/${jobIds[2]}`)).body).toMatchObject({
      state: 'cancelled',
      cancelReason: 'wrong term',
    });
    const batch = await eventually(async () => {
      const now = await read(batchId);
      return now.state === 'finished' ? now : null;
    });
    expect(batch).toMatchObject({ counts: { cancelled: 3, queued: 0 }, finishedAt: expect.any(String) });
    expect((await http.post(`/batches/${batchId}/cancel`, undefined)).body).toEqual({ cancelled: 0 });
  });

  it('has nothing to try again while nothing has failed', async () => {
    const { batchId } = await submit([item]);
    const answer = await http.post(`/batches/${batchId}/retry-failed`, undefined);
    expect([answer.status, answer.body]).toEqual([202, { jobIds: [] }]);
  });

  it('is made once under one Idempotency-Key', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { items: [item, item] };
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => http.post('/jobs/batch', body, headers)),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
    const { batchId } = batchAcceptedSchema.parse(answers[0]?.body);
    expect((await read(batchId)).total).toBe(2);
  });

  it('is listed, latest first, page by page', async () => {
    const made = [await submit([item]), await submit([item]), await submit([item])];
    const first = batchListSchema.strict().parse((await http.send('/batches?limit=2')).body);
    const second = batchListSchema.parse(
      (await http.send(`/batches?limit=2&cursor=${encodeURIComponent(first.nextCursor ?? '')}`)).body,
    );
    expect([...first.batches, ...second.batches].slice(0, 3).map(({ batchId }) => batchId)).toEqual(
      made.map(({ batchId }) => batchId).toReversed(),
    );
    for (const query of ['limit=0', 'limit=x', 'cursor=forged'])
      expectProblem(await http.send(`/batches?${query}`), 400, 'invalid_query');
  });

  it('is nobody else’s', async () => {
    const { batchId } = await submit([item]);
    const other = await stranger(url);
    expectProblem(await other.send(`/batches/${batchId}`), 404, 'not_found');
    expectProblem(await other.post(`/batches/${batchId}/cancel`, {}), 404, 'not_found');
    expectProblem(await other.post(`/batches/${batchId}/retry-failed`, {}), 404, 'not_found');
    expect((await other.send('/batches')).body).toEqual({ batches: [], nextCursor: null });
    for (const id of [uuidv7(), 'x', '__proto__']) {
      expectProblem(await http.send(`/batches/${id}`), 404, 'not_found');
      expectProblem(await http.post(`/batches/${id}/cancel`, {}), 404, 'not_found');
      expectProblem(await http.post(`/batches/${id}/retry-failed`, {}), 404, 'not_found');
    }
  });
});

describe('a batch with a fault', () => {
  it('is refused as a whole, with what is wrong in each item', async () => {
    const before = jobListSchema.parse((await http.send('/jobs')).body).total;
    const items = [item, { md: '' }, { ...item, mode: 'song', withTts: 1 }, null, item];
    const details = expectProblem(await http.post('/jobs/batch', { items }), 400, 'invalid_batch');
    expect(details?.items).toEqual([
      { index: 1, code: 'md_required', issues: [{ path: 'md', message: expect.any(String) }] },
      {
        index: 2,
        code: 'invalid_with_tts',
        issues: [
          { path: 'withTts', message: expect.any(String) },
          { path: 'mode', message: expect.any(String) },
        ],
      },
      { index: 3, code: 'invalid_body', issues: [{ path: '', message: expect.any(String) }] },
    ]);
    const missing = await http.post('/jobs/batch', { items: [item, { md: 'missing.md' }] });
    expect(expectProblem(missing, 400, 'invalid_batch')?.items).toEqual([
      { index: 1, code: 'md_not_found', issues: [{ path: 'md', message: expect.any(String) }] },
    ]);
    expect(jobListSchema.parse((await http.send('/jobs')).body).total).toBe(before);
  });

  it.each([
    ['invalid_body', []],
    ['invalid_batch', {}],
    ['invalid_batch', { items: {} }],
    ['invalid_batch', { items: [] }],
    ['invalid_batch', { items: Array.from({ length: 501 }, () => item) }],
    ['invalid_batch', { items: [item], name: ' ' }],
    ['invalid_batch', { items: [item], name: 'x'.repeat(201) }],
    ['invalid_batch', { items: [item], name: 7 }],
  ])('is refused: 400 %s', async (code, body) => {
    expectProblem(await http.post('/jobs/batch', body), 400, code);
  });

  it('is no GET', async () => {
    const answer = await http.send('/jobs/batch');
    expectProblem(answer, 405, 'method_not_allowed');
    expect(answer.headers.get('allow')).toBe('POST');
  });
});
