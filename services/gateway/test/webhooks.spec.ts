import { randomBytes, randomUUID } from 'node:crypto';
import { eventually } from '@esl/kit/testing/world';
import {
  jobEventSchema,
  webhookCreatedSchema,
  webhookDeliveryListSchema,
  webhookDeliverySchema,
  webhookListSchema,
} from '@esl-pipeline/contracts';
import { Webhook as Verifier } from 'standardwebhooks';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig as loadActionsConfig } from '../../actions/src/config.ts';
import { startActions } from '../../actions/src/start.ts';
import { startReceiver } from '../../actions/test/webhook-receiver.ts';
import { client, expectProblem, type GatewayWorld, openGatewayWorld, stranger } from './gateway-world.ts';

let system: GatewayWorld;
let url: string;
let http: ReturnType<typeof client>;
beforeAll(async () => {
  system = await openGatewayWorld();
  const { world } = system;
  const config = loadActionsConfig({
    ...world.env,
    JOBS_ADDR: '127.0.0.1:1',
    CONFIG_ADDR: '127.0.0.1:1',
    SECRETS_KEYS: `v1:${randomBytes(32).toString('base64')}`,
    WEBHOOK_ALLOW_PRIVATE: 'true',
  });
  const actions = await world.run(startActions({ config, log: world.log }));
  ({ url } = await system.startGateway({ ACTIONS_ADDR: actions.address }));
  http = client(url);
  await system.writeLesson('lesson.md');
});
afterAll(() => system.world[Symbol.asyncDispose]());

const receiver = async () => {
  const started = await startReceiver();
  system.world.defer(started.close);
  return started;
};
const created = async (url: string, events: string[], headers: Record<string, string> = {}) => {
  const answer = await http.post('/user/webhooks', { url, events }, headers);
  expect(answer.status).toBe(201);
  return webhookCreatedSchema.strict().parse(answer.body);
};
const deliveriesOf = async (id: string, query = '') =>
  webhookDeliveryListSchema.strict().parse((await http.send(`/user/webhooks/${id}/deliveries${query}`)).body);

describe('webhooks', () => {
  it('tell a user’s server of a job, as the event stream does, and of nothing it did not ask for', async () => {
    const theirs = await receiver();
    const { id, secret, ...rest } = await created(theirs.url, ['job_created']);
    expect(rest).toMatchObject({ url: theirs.url, events: ['job_created'], disabledAt: null });
    const jobId = await http.submit('lesson.md');
    const [receipt] = await theirs.received(1);
    const { type, data } = new Verifier(secret).verify(
      receipt?.body ?? '',
      receipt?.headers as Record<string, string>,
    ) as { type: string; data: unknown };
    expect(type).toBe('job_created');
    expect(jobEventSchema.strict().parse(data)).toMatchObject({ jobId, state: 'queued', md: 'lesson.md' });
    await eventually(async () =>
      (await deliveriesOf(id)).deliveries[0]?.state === 'delivered' ? true : null,
    );
    expect((await deliveriesOf(id)).deliveries).toMatchObject([
      { event: 'job_created', attempts: [{ status: 204, error: null }], nextAttemptAt: null },
    ]);
  });

  it('are listed without their secrets, tried, sent again, and deleted', async () => {
    const theirs = await receiver();
    const { id, secret } = await created(theirs.url, ['job_updated']);
    const list = await http.send('/user/webhooks');
    expect(JSON.stringify(list.body)).not.toContain(secret);
    expect(
      webhookListSchema
        .strict()
        .parse(list.body)
        .webhooks.map((each) => each.id),
    ).toContain(id);

    const test = await http.post(`/user/webhooks/${id}/test`, {});
    expect(test.status).toBe(202);
    const delivery = webhookDeliverySchema.strict().parse(test.body);
    const [first] = await theirs.received(1);
    expect([first?.id, first?.message.type]).toEqual([delivery.messageId, 'test']);
    const again = await http.send(`/user/webhooks/${id}/deliveries/${delivery.id}/replay`, {
      method: 'POST',
    });
    expect(again.status).toBe(202);
    const receipts = await theirs.received(2);
    expect(receipts.map((each) => each.id)).toEqual([delivery.messageId, delivery.messageId]);

    const gone = await http.send(`/user/webhooks/${id}`, { method: 'DELETE' });
    expect([gone.status, gone.body]).toEqual([200, { message: expect.any(String), id }]);
    for (const [path, method] of [
      [`/user/webhooks/${id}`, 'DELETE'],
      [`/user/webhooks/${id}/deliveries`, 'GET'],
      [`/user/webhooks/${id}/test`, 'POST'],
      [`/user/webhooks/${id}/deliveries/${delivery.id}/replay`, 'POST'],
    ] as const)
      expectProblem(await http.send(path, { method }), 404, 'not_found');
  });

  it('are nobody else’s', async () => {
    const theirs = await receiver();
    const other = await stranger(url);
    const { id } = await created(theirs.url, ['job_created']);
    expect((await other.send('/user/webhooks')).body).toEqual({ webhooks: [], total: 0 });
    for (const [path, method] of [
      [`/user/webhooks/${id}`, 'DELETE'],
      [`/user/webhooks/${id}/deliveries`, 'GET'],
      [`/user/webhooks/${id}/test`, 'POST'],
    ] as const)
      expectProblem(await other.send(path, { method }), 404, 'not_found');
    expect((await client(url, null).send('/user/webhooks')).status).toBe(401);
  });

  it('are made once when the request is repeated, with the same secret, which is not kept for that', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const first = await created('http://127.0.0.1:9/once', ['job_created'], headers);
    const second = await http.post(
      '/user/webhooks',
      { url: 'http://127.0.0.1:9/once', events: ['job_created'] },
      headers,
    );
    expect(second.body).toEqual(first);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    const kept = await system.world.mongo.db.collection('idempotency_keys').find().toArray();
    expect(JSON.stringify(kept)).not.toContain(first.secret.slice(-12));
  });

  it.each([
    ['invalid_body', []],
    ['invalid_webhook_url', { events: ['job_created'] }],
    ['invalid_webhook_url', { url: 7, events: ['job_created'] }],
    ['invalid_webhook_url', { url: 'gopher://example.com', events: ['job_created'] }],
    ['invalid_webhook_events', { url: 'https://example.com' }],
    ['invalid_webhook_events', { url: 'https://example.com', events: [] }],
    ['invalid_webhook_events', { url: 'https://example.com', events: ['test'] }],
    ['invalid_webhook_events', { url: 'https://example.com', events: 'job_created' }],
  ])('are refused: 400 %s %j', async (code, body) => {
    expectProblem(await http.post('/user/webhooks', body), 400, code);
  });

  it('have a log with honest pages', async () => {
    const { id } = await created('http://127.0.0.1:9', ['job_created']);
    for (const query of ['?limit=0', '?limit=101', '?cursor=forged', '?limit=1&limit=2'])
      expectProblem(await http.send(`/user/webhooks/${id}/deliveries${query}`), 400, 'invalid_query');
    expectProblem(await http.send(`/user/webhooks/${uuidv7()}/deliveries`), 404, 'not_found');
    expect(await deliveriesOf(id)).toEqual({ deliveries: [], nextCursor: null });
  });
});
