import { Agent, get, type IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { listen } from './http-server.ts';

const ask = (agent: Agent, port: number): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    get({ agent, port, host: '127.0.0.1' }, (response) => {
      response.resume().once('end', () => resolve(response));
    }).once('error', reject);
  });

describe('stopping the HTTP server', () => {
  it('first asks clients to come back on another connection, and waits no longer than one is open', async () => {
    const server = await listen({ host: '127.0.0.1', port: 0, maxStreams: 1 });
    server.serve((_request, response) => response.end('here'));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const kept = await ask(agent, server.port);
    expect(kept.headers.connection).toBe('keep-alive');

    const sentAway = server.sendAway(60_000);
    const last = await ask(agent, server.port);
    expect([last.statusCode, last.headers.connection]).toEqual([200, 'close']);
    await sentAway;

    server.stopAccepting();
    await server.finish(AbortSignal.timeout(5_000));
    await expect(ask(agent, server.port)).rejects.toThrow('ECONNREFUSED');
  });
});
