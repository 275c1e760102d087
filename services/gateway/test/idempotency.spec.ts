import { randomUUID } from 'node:crypto';
import { errorEnvelopeSchema } from '@esl-pipeline/contracts';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answered, client, type GatewayWorld, openGatewayWorld, stranger } from './gateway-world.ts';

let system: GatewayWorld;
let url: string;
let http: ReturnType<typeof client>;
let other: ReturnType<typeof client>;
let impatient: ReturnType<typeof client>;
beforeAll(async () => {
  system = await openGatewayWorld();
  ({ url } = await system.startGateway());
  http = client(url);
  other = client((await system.startGateway()).url);
  impatient = client((await system.startGateway({ IDEMPOTENCY_WAIT_MS: '100' })).url);
  await system.writeLesson('lesson.md');
});
afterAll(() => system.world[Symbol.asyncDispose]());

const aKey = () => ({ 'idempotency-key': randomUUID() });
const codeOf = ({ status, body }: Answered) => [status, errorEnvelopeSchema.parse(body).code];
const jobsWith = async (preset: string) =>
  ((await http.send(`/jobs?preset=${preset}`)).body as { total: number }).total;
const keys = () => system.world.mongo.db.collection<{ _id: string }>('idempotency_keys');
/** The document of the key that was used last. */
const lastKey = async () => (await keys().find().sort({ since: -1 }).limit(1).next())?._id ?? '';

describe('a POST that is sent again', () => {
  it('makes one job, however many requests come at once and wherever', async () => {
    const preset = randomUUID();
    const headers = aKey();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        (n % 2 === 0 ? http : other).post('/jobs', { md: 'lesson.md', preset }, headers),
      ),
    );
    expect(new Set(answers.map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(1);
    expect(answers[0]?.status).toBe(202);
    const replayed = answers.filter(
      ({ headers: answered }) => answered.get('idempotent-replayed') === 'true',
    );
    expect(replayed).toHaveLength(19);
    expect(await jobsWith(preset)).toBe(1);
  });

  it('makes one of each without a key, or with another', async () => {
    const preset = randomUUID();
    for (const headers of [{}, {}, aKey(), aKey()])
      expect((await http.post('/jobs', { md: 'lesson.md', preset }, headers)).status).toBe(202);
    expect(await jobsWith(preset)).toBe(4);
  });

  it('shares its key with nobody else', async () => {
    const headers = aKey();
    await http.post('/jobs/batch', { items: [{ md: 'lesson.md' }] }, headers);
    const other = await stranger(url);
    const answer = await other.post('/jobs/batch', { items: [{ md: 'lesson.md' }] }, headers);
    expect(codeOf(answer)).toEqual([400, 'invalid_batch']);
  });

  it('is refused when it asks for something else', async () => {
    const headers = aKey();
    await http.post('/jobs', { md: 'lesson.md' }, headers);
    const changed = await http.post('/jobs', { md: 'lesson.md', withTts: true }, headers);
    expect(codeOf(changed)).toEqual([422, 'idempotency_key_reused']);
    const [one, two] = [uuidv7(), uuidv7()];
    expect((await http.post(`/jobs/${one}/rerun/audio`, {}, headers)).status).toBe(202);
    expect(codeOf(await http.post(`/jobs/${two}/rerun/audio`, {}, headers))).toEqual([
      422,
      'idempotency_key_reused',
    ]);
  });

  it('may be mended after a refusal', async () => {
    const headers = aKey();
    expect(codeOf(await http.post('/jobs', { md: 'missing.md' }, headers))).toEqual([400, 'md_not_found']);
    expect((await http.post('/jobs', { md: 'lesson.md' }, headers)).status).toBe(202);
  });

  it('keeps its ids when a part of the system was down', async () => {
    const lonely = await system.startGateway({ JOBS_ADDR: '127.0.0.1:1', RPC_DEADLINE_MS: '200' });
    const headers = aKey();
    const body = { md: 'lesson.md', preset: randomUUID() };
    expect(codeOf(await client(lonely.url).post('/jobs', body, headers))).toEqual([503, 'unavailable']);
    const { seed } = (await keys().findOne({ _id: await lastKey() })) as unknown as { seed: string };
    expect((await http.post('/jobs', body, headers)).status).toBe(202);
    expect(await keys().findOne({ _id: await lastKey() })).toMatchObject({ seed, answer: { status: 202 } });
  });

  it('makes no second job when the gateway died before it could keep the answer', async () => {
    const headers = aKey();
    const body = { md: 'lesson.md', preset: randomUUID() };
    const first = await http.post('/jobs', body, headers);
    await keys().updateOne(
      { _id: await lastKey() },
      { $set: { answer: null, token: 'of a dead process', heldUntil: new Date(0) } },
    );
    const second = await http.post('/jobs', body, headers);
    expect([second.status, second.body]).toEqual([202, first.body]);
    expect(await jobsWith(body.preset)).toBe(1);
  });

  it('is told so while the first is still being carried out', async () => {
    const headers = aKey();
    await http.post('/jobs', { md: 'lesson.md' }, headers);
    await keys().updateOne(
      { _id: await lastKey() },
      { $set: { answer: null, heldUntil: new Date(Date.now() + 60_000) } },
    );
    const answer = await impatient.post('/jobs', { md: 'lesson.md' }, headers);
    expect(codeOf(answer)).toEqual([409, 'idempotency_in_progress']);
    expect(answer.headers.get('retry-after')).toBe('1');
  });

  it.each(['', 'has space', 'x'.repeat(256), 'é'])('is refused with the key %j', async (key) => {
    const answer = await http.post('/jobs', { md: 'lesson.md' }, { 'idempotency-key': key });
    expect(codeOf(answer)).toEqual([400, 'invalid_idempotency_key']);
  });

  it('is forgotten after a day', async () => {
    const indexes = await keys().indexes();
    expect(indexes.find(({ name }) => name === 'kept')).toMatchObject({
      key: { since: 1 },
      expireAfterSeconds: 86_400,
    });
  });
});
