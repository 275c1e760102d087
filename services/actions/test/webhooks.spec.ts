import { randomBytes, randomUUID } from 'node:crypto';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import { eventually } from '@esl/kit/testing/world';
import { DeliveryState } from '@esl-pipeline/contracts/esl/actions/v1/webhooks_service';
import { jobEventSchema } from '@esl-pipeline/contracts/http/job-events';
import { webhookMessageSchema } from '@esl-pipeline/contracts/http/webhooks';
import { Webhook as Verifier } from 'standardwebhooks';
import { v7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf, type OfOwner, openWebhookWorld, type WebhooksClient } from './webhook-world.ts';

let system: Awaited<ReturnType<typeof openWebhookWorld>>;
let webhooks: WebhooksClient;
beforeAll(async () => {
  system = await openWebhookWorld();
  ({ webhooks } = await system.start());
});
afterAll(() => system.world[Symbol.asyncDispose]());

const given = async (url: string, events = ['job_state_changed'], ownerId: string = randomUUID()) => {
  const { webhook, secret } = await webhooks.createWebhook({ id: v7(), ownerId, url, events });
  return { ownerId, webhookId: webhook?.id ?? '', secret };
};

const logOf = async (of: OfOwner, page = {}) =>
  await webhooks.listDeliveries({ ownerId: of.ownerId, webhookId: of.webhookId, ...page });
/** The only delivery of a webhook, once it is in this state. */
const delivery = (of: OfOwner, state: DeliveryState) =>
  eventually(async () => (await logOf(of)).deliveries.find((each) => each.state === state) ?? null);
const webhookOf = async ({ ownerId, webhookId }: OfOwner) =>
  (await webhooks.listWebhooks({ ownerId })).webhooks.find(({ id }) => id === webhookId);

describe('a webhook', () => {
  it('receives what it asked for, signed so that the specification’s library accepts it', async () => {
    const theirs = await system.receiver();
    const { ownerId, secret } = await given(theirs.url, ['job_created', 'job_state_changed']);
    await system.tell(ownerId, { channel: 'jobProgressed' });
    await system.tell(randomUUID());
    const { eventId, jobId } = await system.tell(ownerId);
    const [receipt] = await theirs.received(1);
    if (!receipt) throw new Error('nothing came');
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const verified = new Verifier(secret).verify(receipt.body, receipt.headers as Record<string, string>);
    expect(webhookMessageSchema.strict().parse(verified)).toEqual(receipt.message);
    expect(receipt.headers).toMatchObject({
      'webhook-id': eventId,
      'content-type': 'application/json; charset=utf-8',
      'user-agent': 'esl-pipeline-webhooks/1',
    });
    expect(receipt.message.type).toBe('job_state_changed');
    expect(jobEventSchema.strict().parse(receipt.message.data)).toMatchObject({
      type: 'job_state_changed',
      jobId,
      state: 'succeeded',
      links: { self: `https://esl.example/jobs/${jobId}` },
      pageUrl: expect.stringMatching(/^https:\/\/esl\.example\/files\/pages\/ab\/x\.html\?expires=/),
    });
    expect(() =>
      new Verifier(`whsec_${randomBytes(32).toString('base64')}`).verify(
        receipt.body,
        receipt.headers as Record<string, string>,
      ),
    ).toThrow();
    expect(theirs.receipts).toHaveLength(1);
  });

  it('gets one delivery of an event that is told twice', async () => {
    const theirs = await system.receiver();
    const of = await given(theirs.url);
    const told = await system.tell(of.ownerId);
    await system.tell(of.ownerId, told);
    const { eventId: last } = await system.tell(of.ownerId);
    await eventually(() => (theirs.receipts.some(({ id }) => id === last) ? true : null));
    await eventually(async () => ((await logOf(of)).deliveries.length === 2 ? true : null));
    expect(theirs.receipts.map(({ id }) => id).sort()).toEqual([told.eventId, last].sort());
  });

  it('hears nothing of what was before it', async () => {
    const theirs = await system.receiver();
    const { ownerId } = await given(theirs.url, ['job_created']);
    const { eventId } = await system.tell(ownerId, { channel: 'jobCreated' });
    await theirs.received(1);
    const late = await system.receiver();
    await given(late.url, ['job_created'], ownerId);
    await system.tell(ownerId, { channel: 'jobCreated', eventId });
    const { eventId: next } = await system.tell(ownerId, { channel: 'jobCreated' });
    await eventually(() => (late.receipts.some(({ id }) => id === next) ? true : null));
  });

  it('keeps its secret sealed, and tells it to the same call again', async () => {
    const ownerId = randomUUID();
    const wish = { id: v7(), ownerId, url: 'http://127.0.0.1:9', events: ['job_created'] };
    const { secret } = await webhooks.createWebhook(wish);
    expect(await webhooks.createWebhook(wish)).toMatchObject({ secret });
    const stored = await system.world.mongo.db.collection('webhooks').findOne({ ownerId });
    expect(JSON.stringify(stored)).not.toContain(secret.slice('whsec_'.length));
    expect(await codeOf(webhooks.createWebhook({ ...wish, ownerId: 'mallory' }))).toBe('invalid_webhook_id');
  });

  it('is one of at most twenty, however many are asked for at once', async () => {
    const ownerId = randomUUID();
    const results = await Promise.allSettled(
      Array.from({ length: 30 }, () => given('http://127.0.0.1:9', ['job_created'], ownerId)),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(20);
    expect(await codeOf(given('http://127.0.0.1:9', ['job_created'], ownerId))).toBe('too_many_webhooks');
    const [first] = (await webhooks.listWebhooks({ ownerId })).webhooks;
    await webhooks.deleteWebhook({ ownerId, webhookId: first?.id ?? '' });
    await given('http://127.0.0.1:9', ['job_created'], ownerId);
  });

  it.each([
    ['invalid_webhook_url', { url: 'ftp://example.com' }],
    ['invalid_webhook_url', { url: 'https://a:b@example.com' }],
    ['invalid_webhook_events', { events: [] }],
    ['invalid_webhook_events', { events: ['job_created', 'job_exploded'] }],
    ['invalid_webhook_id', { id: 'x' }],
  ])('is refused as %s: %j', async (code, over) => {
    const wish = { id: v7(), ownerId: 'ana', url: 'https://example.com', events: ['job_created'] };
    expect(await codeOf(webhooks.createWebhook({ ...wish, ...over }))).toBe(code);
  });

  it('belongs to its owner alone', async () => {
    const of = await given('http://127.0.0.1:9');
    const others = { ownerId: 'mallory', webhookId: of.webhookId };
    expect(await codeOf(logOf(others))).toBe('webhook_not_found');
    expect(await codeOf(webhooks.deleteWebhook(others))).toBe('webhook_not_found');
    expect(await codeOf(webhooks.sendTest(others))).toBe('webhook_not_found');
    expect((await webhooks.listWebhooks({ ownerId: 'mallory' })).webhooks).toEqual([]);
  });

  it('cannot be made without a key to keep its secret with', async () => {
    const keyless = await system.start({ SECRETS_KEYS: '' });
    const wish = { id: v7(), ownerId: 'ana', url: 'https://example.com', events: ['job_created'] };
    expect(await codeOf(keyless.webhooks.createWebhook(wish))).toBe('webhooks_not_configured');
  });
});

describe('a receiver that does not take it', () => {
  it('is tried again with the same message, and the log has each attempt', async () => {
    const theirs = await system.receiver();
    theirs.answer(
      (response) => void response.writeHead(theirs.receipts.length < 3 ? 500 : 200).end('thanks'),
    );
    const of = await given(theirs.url);
    await system.tell(of.ownerId);
    const done = await delivery(of, DeliveryState.DELIVERED);
    expect(done.attempts.map(({ status, error }) => [status, error])).toEqual([
      [500, 'http_status'],
      [500, 'http_status'],
      [200, undefined],
    ]);
    expect(new Set(theirs.receipts.map(({ id, body }) => id + body)).size).toBe(1);
  });

  it('gets the time that it asks for', async () => {
    const theirs = await system.receiver();
    theirs.answer((response) => void response.writeHead(503, { 'retry-after': '3600' }).end());
    const of = await given(theirs.url);
    await system.tell(of.ownerId);
    const waiting = await eventually(
      async () => (await logOf(of)).deliveries.find(({ attempts }) => attempts.length === 1) ?? null,
    );
    const at = waiting.nextAttemptAt ? timestampDate(waiting.nextAttemptAt).getTime() : 0;
    expect(at - Date.now()).toBeGreaterThan(3_500_000);
  });

  it('is left alone when it says that it is gone, until a test arrives', async () => {
    const theirs = await system.receiver();
    theirs.answer((response) => void response.writeHead(410).end());
    const of = await given(theirs.url);
    await system.tell(of.ownerId);
    await eventually(async () => ((await webhookOf(of))?.disabledReason === 'gone' ? true : null));
    await system.tell(of.ownerId);
    theirs.answer((response) => void response.writeHead(204).end());
    const { delivery: test } = await webhooks.sendTest({ ...of, eventId: v7() });
    await eventually(async () => ((await webhookOf(of))?.disabledAt === undefined ? true : null));
    expect(theirs.receipts.map(({ message }) => message.type)).toEqual(['job_state_changed', 'test']);
    expect(theirs.receipts[1]).toMatchObject({
      id: test?.messageId,
      message: { data: { webhookId: of.webhookId } },
    });
    const { eventId } = await system.tell(of.ownerId);
    await eventually(() => (theirs.receipts.some(({ id }) => id === eventId) ? true : null));
  });

  it('is left alone when nothing has arrived in all the attempts', async () => {
    const theirs = await system.receiver();
    theirs.answer((response) => void response.writeHead(500).end());
    const of = await given(theirs.url);
    await system.tell(of.ownerId);
    const failed = await delivery(of, DeliveryState.FAILED);
    expect(failed.attempts).toHaveLength(4);
    await eventually(async () => ((await webhookOf(of))?.disabledReason === 'failing' ? true : null));
  });

  it('holds up nobody else when it is slow', async () => {
    const slow = await system.receiver();
    slow.answer(() => {});
    const quick = await system.receiver();
    const ownerId = randomUUID();
    const of = await given(slow.url, ['job_state_changed'], ownerId);
    await given(quick.url, ['job_state_changed'], ownerId);
    for (let n = 0; n < 20; n += 1) await system.tell(ownerId);
    await quick.received(20);
    expect(slow.mostAtOnce()).toBe(5);
    const late = await eventually(
      async () => (await logOf(of)).deliveries.find(({ attempts }) => attempts.length > 0) ?? null,
    );
    expect(late.attempts[0]).toMatchObject({ error: 'timeout' });
    await webhooks.deleteWebhook(of);
  });

  it('is not followed elsewhere, and need not be read to the end', async () => {
    const elsewhere = await system.receiver();
    const theirs = await system.receiver();
    theirs.answer((response) => void response.writeHead(307, { location: elsewhere.url }).end());
    const of = await given(theirs.url);
    await system.tell(of.ownerId);
    expect((await delivery(of, DeliveryState.FAILED)).attempts[0]).toMatchObject({
      status: 307,
      error: 'redirect',
    });
    expect(elsewhere.receipts).toEqual([]);

    const endless = await system.receiver();
    endless.answer((response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(16_384)));
      };
      response.on('drain', more);
      more();
    });
    const other = await given(endless.url);
    await system.tell(other.ownerId);
    expect((await delivery(other, DeliveryState.DELIVERED)).attempts).toMatchObject([{ status: 200 }]);
  });

  it('is named as what it is when there is no connection', async () => {
    const closed = await system.receiver();
    closed.close();
    const of = await given(closed.url);
    await system.tell(of.ownerId);
    const { attempts } = await delivery(of, DeliveryState.FAILED);
    expect(attempts[0]).toMatchObject({ error: 'connection_failed' });
    expect(attempts[0]?.status).toBeUndefined();
  });
});

describe('the log', () => {
  it('is read page by page, newest first, and what it holds can be sent again', async () => {
    const theirs = await system.receiver();
    const of = await given(theirs.url);
    const told = [];
    for (let n = 0; n < 5; n += 1) told.push((await system.tell(of.ownerId)).eventId);
    await theirs.received(5);
    await eventually(async () =>
      (await logOf(of)).deliveries.filter(({ state }) => state === DeliveryState.DELIVERED).length === 5
        ? true
        : null,
    );
    const first = await logOf(of, { pageSize: 3 });
    const second = await logOf(of, { pageSize: 3, pageToken: first.nextPageToken });
    expect(second.nextPageToken).toBe('');
    const all = [...first.deliveries, ...second.deliveries];
    expect(all.map(({ messageId }) => messageId).sort()).toEqual(told.sort());
    expect(all.map(({ id }) => id)).toEqual(
      all
        .map(({ id }) => id)
        .sort()
        .toReversed(),
    );
    expect(await codeOf(logOf(of, { pageToken: 'forged' }))).toBe('invalid_page_token');

    const { id: deliveryId = '', messageId = '' } = all[0] ?? {};
    const again = await webhooks.replayDelivery({ ...of, deliveryId });
    expect(again.delivery).toMatchObject({ id: deliveryId, messageId });
    const receipts = await theirs.received(6);
    expect(receipts.filter(({ id }) => id === messageId)).toHaveLength(2);
    expect(await codeOf(webhooks.replayDelivery({ ...of, deliveryId: v7() }))).toBe('delivery_not_found');

    await webhooks.deleteWebhook(of);
    expect(await codeOf(logOf(of))).toBe('webhook_not_found');
    expect(
      await system.world.mongo.db
        .collection('webhook_deliveries')
        .countDocuments({ webhookId: of.webhookId }),
    ).toBe(0);
  });

  it('goes back a week', async () => {
    const indexes = await system.world.mongo.db.collection('webhook_deliveries').indexes();
    expect(indexes.find(({ name }) => name === 'kept')).toMatchObject({
      key: { createdAt: 1 },
      expireAfterSeconds: 7 * 86_400,
    });
  });
});
