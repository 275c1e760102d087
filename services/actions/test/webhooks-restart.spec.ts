import { randomUUID } from 'node:crypto';
import { eventually } from '@esl/kit/testing/world';
import { DeliveryState } from '@esl-pipeline/contracts/esl/actions/v1/webhooks_service';
import { v7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf, openWebhookWorld, type WebhooksClient } from './webhook-world.ts';

let system: Awaited<ReturnType<typeof openWebhookWorld>>;
beforeAll(async () => {
  system = await openWebhookWorld();
});
afterAll(() => system.world[Symbol.asyncDispose]());

const given = async (webhooks: WebhooksClient, url: string) => {
  const ownerId = randomUUID();
  const { webhook } = await webhooks.createWebhook({ id: v7(), ownerId, url, events: ['job_state_changed'] });
  return { ownerId, webhookId: webhook?.id ?? '' };
};

describe('a service that stops', () => {
  it('leaves what it was sending to the next, which sends the same message', async () => {
    const theirs = await system.receiver();
    theirs.answer(() => {});
    const first = await system.start({ WEBHOOK_TIMEOUT_MS: '60000' });
    const of = await given(first.webhooks, theirs.url);
    const { eventId } = await system.tell(of.ownerId);
    await theirs.received(1);
    await first.stop();
    theirs.answer((response) => void response.writeHead(204).end());
    const second = await system.start();
    const receipts = await theirs.received(2);
    expect(receipts.map(({ id }) => id)).toEqual([eventId, eventId]);
    expect(receipts[1]?.body).toBe(receipts[0]?.body);
    await second.stop();
  });

  it('misses nothing that happens while it is away', async () => {
    const theirs = await system.receiver();
    const first = await system.start();
    const of = await given(first.webhooks, theirs.url);
    await first.stop();
    const told = [];
    for (let n = 0; n < 5; n += 1) told.push((await system.tell(of.ownerId)).eventId);
    const second = await system.start();
    const receipts = await theirs.received(5);
    expect(receipts.map(({ id }) => id).sort()).toEqual(told.sort());
    await second.stop();
  });

  it('may lose its claim to a crash: the delivery is due again when the claim ends', async () => {
    const theirs = await system.receiver();
    theirs.answer((response) => void response.writeHead(503, { 'retry-after': '3600' }).end());
    const first = await system.start();
    const of = await given(first.webhooks, theirs.url);
    await system.tell(of.ownerId);
    await eventually(async () => {
      const { deliveries } = await first.webhooks.listDeliveries(of);
      return deliveries[0]?.attempts.length === 1 ? true : null;
    });
    await first.stop();
    // As a process leaves it that died after claiming, a while ago.
    await system.world.mongo.db
      .collection('webhook_deliveries')
      .updateOne(
        { webhookId: of.webhookId },
        { $set: { claim: 'of a dead process', nextAttemptAt: new Date(Date.now() - 1) } },
      );
    theirs.answer((response) => void response.writeHead(204).end());
    const second = await system.start();
    await theirs.received(2);
    await second.stop();
  });

  it('makes up for JetStream losing everything', async () => {
    const theirs = await system.receiver();
    const service = await system.start();
    const of = await given(service.webhooks, theirs.url);
    await system.world.restartNats({ wipe: true, kill: true });
    await eventually(async () => await system.tell(of.ownerId).catch(() => null), 20_000);
    await theirs.received(1);
    await service.stop();
  }, 40_000);
});

describe('addresses inside the network', () => {
  it('are refused, also behind a name', async () => {
    const { webhooks, stop } = await system.start({ WEBHOOK_ALLOW_PRIVATE: '' });
    const wish = { ownerId: 'ana', events: ['job_created'] };
    for (const url of ['https://127.0.0.1', 'https://localhost', 'https://[::1]', 'http://example.com'])
      expect(await codeOf(webhooks.createWebhook({ ...wish, id: v7(), url }))).toBe('invalid_webhook_url');
    await stop();
  });

  it.each(['127.0.0.1', 'localhost'])('are not called when one slips in: %s', async (host) => {
    const theirs = await system.receiver();
    const open = await system.start();
    const of = await given(open.webhooks, theirs.url.replace('127.0.0.1', host));
    await open.stop();
    const strict = await system.start({ WEBHOOK_ALLOW_PRIVATE: '' });
    await system.tell(of.ownerId);
    const { attempts } = await eventually(
      async () =>
        (await strict.webhooks.listDeliveries(of)).deliveries.find(
          ({ state }) => state === DeliveryState.FAILED,
        ) ?? null,
    );
    expect(attempts[0]?.error).toBe('private_address');
    expect(theirs.receipts).toEqual([]);
    await strict.stop();
  });
});
