import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLog } from '@esl/kit/log';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LiveCatalog, openCatalog } from '../src/app/live-catalog.ts';
import { MAX_FILE_BYTES } from '../src/app/needs.ts';
import { remoteSource } from '../src/outbound/remote-source.ts';
import { notion } from './builders.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
type Served = { url: string; files: Map<string, string>; requests: IncomingMessage[]; answer: Answer | null };

/** A config server with ETags. `answer` replaces it for a while. */
let server: Served & AsyncDisposable;
beforeEach(async () => {
  const files = new Map([
    ['/esl/presets.json', '{"calm-blue":{"h2":"blue"}}'],
    ['/esl/students.json', '[{"student":"Mira","dbId":"db-1"}]'],
    ['/esl/voices.yml', 'Teacher: Wren\n'],
  ]);
  const requests: IncomingMessage[] = [];
  const http = createServer((request, response) => {
    requests.push(request);
    if (server.answer) return server.answer(request, response);
    const text = files.get(request.url ?? '');
    if (text === undefined) return response.writeHead(404).end();
    const etag = `"${Buffer.from(text).toString('base64url')}"`;
    if (request.headers['if-none-match'] === etag) return response.writeHead(304, { etag }).end();
    return response.writeHead(200, { etag }).end(text);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  server = {
    url: `http://127.0.0.1:${port}/esl/`,
    files,
    requests,
    answer: null,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
});
afterEach(() => server[Symbol.asyncDispose]());

const never = new AbortController().signal;
const logged: { msg: string; faults?: string[] }[] = [];
const open = (over: { timeoutMs?: number } = {}): Promise<LiveCatalog> => {
  logged.length = 0;
  const log = createLog('test', 'info', { write: (line) => void logged.push(JSON.parse(line)) });
  const source = remoteSource({
    endpoint: server.url,
    token: 'hush-hush',
    paths: { presets: '/presets.json', students: 'students.json', voiceMap: '/voices.yml' },
    ...over,
  });
  return openCatalog(source, { notion: notion(), narrator: 'local', now: () => new Date(), log }, never);
};
const faults = () => logged.flatMap((line) => line.faults ?? []);

describe('a remote catalog', () => {
  it('is fetched with the token', async () => {
    const catalog = await open();
    expect(catalog.current()).toMatchObject({
      stale: false,
      options: { presets: ['calm-blue'], notionDatabases: [{ id: 'db-1', name: 'Mira' }] },
      catalog: { voiceMap: { speakers: new Map([['Teacher', 'Wren']]) } },
    });
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(
      Array.from({ length: 3 }, () => 'Bearer hush-hush'),
    );
  });

  it('is not sent again while it has not changed', async () => {
    const catalog = await open();
    const before = catalog.current();
    const statuses: number[] = [];
    server.answer = (request, response) => {
      statuses.push(request.headers['if-none-match'] ? 304 : 200);
      response.writeHead(304).end();
    };
    await catalog.refresh(never);
    expect(statuses).toEqual([304, 304, 304]);
    expect(catalog.current()).toBe(before);
  });

  it('follows the server', async () => {
    const catalog = await open();
    const versions: string[] = [];
    catalog.onChange(({ version }) => versions.push(version));
    server.files.set('/esl/presets.json', '{"sunrise":{}}');
    await catalog.refresh(never);
    expect(catalog.current().options.presets).toEqual(['sunrise']);
    expect(versions).toEqual([catalog.current().version]);
  });

  const troubles: Record<string, { answer: Answer; says: RegExp; timeoutMs?: number }> = {
    'answers 500': {
      answer: (_, response) => response.writeHead(500).end('{"token":"hush-hush"}'),
      says: /^presets\.json: was answered with HTTP 500$/,
    },
    'answers 404': {
      answer: (_, response) => response.writeHead(404).end(),
      says: /^presets\.json: was answered with HTTP 404$/,
    },
    'answers nothing': {
      answer: () => {},
      says: /^presets\.json: took longer than 1500 ms$/,
      timeoutMs: 1_500,
    },
    'hangs up': {
      answer: (request) => request.socket.destroy(),
      says: /^presets\.json: could not be fetched/,
    },
    'sends broken JSON': {
      answer: (_, response) => response.end('{"calm-blue": hush-hush'),
      says: /^presets\.json: is not valid JSON/,
    },
    'sends something else': {
      answer: (_, response) => response.end('<html>hush-hush</html>'),
      says: /^presets\.json: is not valid JSON/,
    },
    'sends too much': {
      answer: (_, response) => response.end(Buffer.alloc(MAX_FILE_BYTES + 1, 32)),
      says: /^presets\.json: is larger than/,
    },
  };
  it.each(Object.entries(troubles))(
    'stays as it was while the server %s, and says why once',
    async (_, trouble) => {
      // Only for the silent server a short time: a busy machine may need longer for a good answer.
      const { timeoutMs } = trouble;
      const catalog = await open({ ...(timeoutMs && { timeoutMs }) });
      const good = catalog.current();
      server.answer = trouble.answer;
      await catalog.refresh(never);
      await catalog.refresh(never);
      expect(catalog.current()).toMatchObject({
        stale: true,
        catalog: good.catalog,
        loadedAt: good.loadedAt,
      });
      expect(faults().filter((fault) => trouble.says.test(fault))).toHaveLength(1);
      expect(JSON.stringify(logged)).not.toContain('hush-hush');
      server.answer = null;
      await catalog.refresh(never);
      expect(catalog.current().version).toBe(good.version);
      expect(logged.map(({ msg }) => msg)).toContain('every catalog file is readable');
    },
  );

  it('is stood in for when the server has never answered', async () => {
    server.answer = (_, response) => response.writeHead(503).end();
    const catalog = await open();
    expect(catalog.current()).toMatchObject({
      stale: true,
      options: { presets: ['b1-default'], notionDatabases: [{ id: 'local', name: 'Local page' }] },
    });
  });

  it('is let go of at once when the service stops', async () => {
    const catalog = await open();
    const stop = new AbortController();
    server.answer = () => stop.abort(new Error('stopping'));
    await expect(catalog.refresh(stop.signal)).rejects.toThrow('stopping');
  });
});
