import type { LookupAddress } from 'node:dns';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { webhookSender } from './webhook-sender.ts';

const signal = new AbortController().signal;
const closings: (() => void)[] = [];
afterEach(() => {
  for (const close of closings.splice(0)) close();
});

const serve = async (listener: RequestListener): Promise<number> => {
  const server = createServer(listener);
  closings.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

const message = (url: string) => ({ url, body: '{}', headers: { 'webhook-id': 'msg' } });

/** Names mean what each look-up in turn says. */
const names = (...answers: (string[] | NodeJS.ErrnoException)[]) => {
  const asked: string[] = [];
  const lookup = (
    host: string,
    _options: object,
    done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
  ) => {
    asked.push(host);
    const answer = answers.shift() ?? [];
    if (Array.isArray(answer))
      done(
        null,
        answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    else done(answer, []);
  };
  return { asked, lookup };
};

describe('sending to a name', () => {
  it.each([[['127.0.0.1']], [['1.1.1.1', '127.0.0.1']], [['::1']], [['::ffff:169.254.169.254']]])(
    'makes no connection when it leads to %j',
    async (addresses) => {
      let calls = 0;
      const port = await serve((_request, response) => {
        calls += 1;
        response.end();
      });
      const { asked, lookup } = names(addresses);
      const send = webhookSender({ allowPrivate: false, timeoutMs: 5_000, now: Date.now, lookup });
      expect(await send(message(`http://hook.example:${port}/`), signal)).toEqual({
        error: 'private_address',
      });
      expect([calls, asked]).toEqual([0, ['hook.example']]);
    },
  );

  it('asks again each time, so that a name that changes its mind gains nothing', async () => {
    const { asked, lookup } = names(['127.0.0.1'], ['10.0.0.1']);
    const send = webhookSender({ allowPrivate: false, timeoutMs: 5_000, now: Date.now, lookup });
    for (let time = 0; time < 2; time += 1)
      expect(await send(message('https://hook.example/'), signal)).toEqual({ error: 'private_address' });
    expect(asked).toHaveLength(2);
  });

  it('says when there is no such name, or it leads nowhere', async () => {
    const missing = Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' });
    const send = webhookSender({
      allowPrivate: false,
      timeoutMs: 5_000,
      now: Date.now,
      lookup: names(missing, []).lookup,
    });
    expect(await send(message('https://hook.example/'), signal)).toEqual({ error: 'name_not_found' });
    expect(await send(message('https://hook.example/'), signal)).toEqual({ error: 'connection_failed' });
  });
});

describe('sending', () => {
  const open = (now = Date.now) => webhookSender({ allowPrivate: true, timeoutMs: 5_000, now });

  it('reads how long a receiver asks to be left alone, as seconds or as a date', async () => {
    const now = Date.parse('2026-03-01T08:00:00Z');
    for (const [header, ms] of [
      ['120', 120_000],
      ['Sun, 01 Mar 2026 08:05:00 GMT', 300_000],
      ['Sun, 01 Mar 2020 08:05:00 GMT', 0],
      ['soon', 0],
    ] as const) {
      const port = await serve((_request, response) =>
        response.writeHead(503, { 'retry-after': header }).end(),
      );
      const answer = await open(() => now)(message(`http://127.0.0.1:${port}`), signal);
      expect(answer).toEqual({ status: 503, retryAfterMs: ms });
    }
  });

  it('takes the status even when the body breaks off', async () => {
    const port = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('only this');
      setImmediate(() => response.destroy());
    });
    const answer = await open()(message(`http://127.0.0.1:${port}`), signal);
    expect(answer).toEqual({ status: 200, retryAfterMs: 0 });
  });

  it('names what is not TLS, and what is not HTTP', async () => {
    const port = await serve((_request, response) => response.end());
    expect(await open()(message(`https://127.0.0.1:${port}`), signal)).toEqual({
      error: expect.stringMatching(/not_trusted|connection_failed/),
    });
  });

  it('ends with its signal', async () => {
    const port = await serve(() => {});
    const stop = new AbortController();
    const sending = open()(message(`http://127.0.0.1:${port}`), stop.signal);
    stop.abort(new Error('stopping'));
    await expect(sending).rejects.toThrow('stopping');
  });
});
