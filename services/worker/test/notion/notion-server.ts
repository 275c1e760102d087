// A Notion of one workspace on loopback, as strict as the real one: for specs, benches, and trying things by hand.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { objectsOf } from './notion-objects.ts';
import { outlineOf } from './notion-outline.ts';
import { invalid, newBlocks, Refusal } from './notion-refusal.ts';
import { routesOf } from './notion-routes.ts';
import { MAX_BODY_BYTES } from './notion-rules.ts';
import {
  type Database,
  type Json,
  openWorkspace,
  type Page,
  type PropertyConfig,
} from './notion-workspace.ts';

export type { PropertyConfig } from './notion-workspace.ts';

/** What goes wrong with a request. `lose` does the work first. */
export type Fault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly retryAfter?: number;
      readonly lose?: boolean;
    }
  | { readonly kind: 'reset'; readonly lose?: boolean }
  | { readonly kind: 'slow'; readonly ms: number };

export type SeenRequest = {
  readonly method: string;
  readonly path: string;
  readonly body: Json | null;
  status: number;
};

const CODES: Readonly<Record<number, string>> = {
  400: 'validation_error',
  401: 'unauthorized',
  403: 'restricted_resource',
  404: 'object_not_found',
  409: 'conflict_error',
  429: 'rate_limited',
  500: 'internal_server_error',
  503: 'service_unavailable',
  504: 'gateway_timeout',
  529: 'service_overload',
};
const VERSIONS = ['2025-09-03', '2026-03-11'];

export const openNotionServer = async () => {
  const token = `ntn_${randomUUID().replaceAll('-', '')}`;
  /** Who each token stands for. */
  const tokens = new Map([[token, randomUUID()]]);
  const requests: SeenRequest[] = [];
  const faults: {
    readonly matches: (seen: SeenRequest, index: number) => boolean;
    readonly fault: Fault;
    times: number;
  }[] = [];
  const listeners = new Map<number, () => void>();
  const space = openWorkspace();
  const routes = routesOf(space);
  const { people, databases, sources, pages, blocks, uploads, pageOf, blockOf, live, liveTree, append } =
    space;
  const { pageObject, blockObject } = objectsOf(space);

  const work = (seen: SeenRequest, request: IncomingMessage, url: URL, raw: Buffer): Json => {
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const caller = tokens.get(given);
    if (caller === undefined) throw new Refusal(401, 'unauthorized', 'API token is invalid.');
    space.bot = caller; // a request is worked on in one go
    const version = request.headers['notion-version'];
    if (!version) throw new Refusal(400, 'missing_version', 'Notion-Version header should be defined.');
    if (!VERSIONS.includes(String(version)))
      throw invalid(`Notion-Version header failed validation: ${version}`);
    const contentType = request.headers['content-type'] ?? '';
    let body: unknown = null;
    if (raw.byteLength > 0 && !contentType.startsWith('multipart/')) {
      if (raw.byteLength > MAX_BODY_BYTES) throw invalid('The request body is too large.');
      if (!contentType.startsWith('application/json'))
        throw invalid('Content-Type should be application/json');
      try {
        body = JSON.parse(raw.toString());
      } catch {
        throw new Refusal(400, 'invalid_json', 'Error parsing JSON body.');
      }
      Object.assign(seen, { body });
    }
    let isPathKnown = false;
    for (const [method, pattern, handle] of routes) {
      const match = pattern.exec(url.pathname);
      if (!match) continue;
      isPathKnown = true;
      if (method === request.method)
        return handle(match.slice(1), { body, query: url.searchParams, raw, contentType });
    }
    throw new Refusal(400, 'invalid_request_url', isPathKnown ? 'Invalid method.' : 'Invalid request URL.');
  };

  const answer = (
    response: ServerResponse,
    seen: SeenRequest,
    status: number,
    body: Json,
    headers: Record<string, string> = {},
  ) => {
    seen.status = status;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ ...body, request_id: randomUUID() }));
  };

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://notion');
    const seen: SeenRequest = { method: request.method ?? '', path: url.pathname, body: null, status: 0 };
    const index = requests.push(seen) - 1;
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part as Buffer);
    } catch {
      return; // the caller has hung up
    }
    const found = faults.find((each) => each.times > 0 && each.matches(seen, index));
    if (found) found.times -= 1;
    const fault = found?.fault;
    if (fault?.kind === 'slow') await delay(fault.ms);
    const losesAll = fault && fault.kind !== 'slow' && !fault.lose;
    try {
      const result = losesAll ? {} : work(seen, request, url, Buffer.concat(parts));
      listeners.get(index)?.();
      listeners.delete(index);
      if (fault?.kind === 'reset') return void request.socket.destroy();
      if (fault?.kind === 'status') {
        const { status, retryAfter } = fault;
        const headers: Record<string, string> =
          retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
        const code = CODES[status] ?? 'internal_server_error';
        return answer(
          response,
          seen,
          status,
          { object: 'error', status, code, message: `as told: ${code}` },
          headers,
        );
      }
      answer(response, seen, 200, result);
    } catch (error) {
      const { status, code, message } =
        error instanceof Refusal ? error : new Refusal(500, 'internal_server_error', String(error));
      answer(response, seen, status, { object: 'error', status, code, message });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    /** Another integration that everything is shared with. */
    givenToken: () => {
      const other = `ntn_${randomUUID().replaceAll('-', '')}`;
      tokens.set(other, randomUUID());
      return other;
    },
    /** Every request, in order. */
    requests,
    refused: () => requests.filter(({ status }) => status >= 400),
    /** What goes wrong with the next requests that match; all of them without a word. */
    fail: (
      fault: Fault,
      { method, path, times = 1 }: { method?: string; path?: RegExp; times?: number } = {},
    ) =>
      void faults.push({
        fault,
        times,
        matches: (seen) => (!method || seen.method === method) && (!path || path.test(seen.path)),
      }),
    /** What goes wrong with the nth request from now, counted from 0. */
    failAt: (nth: number, fault: Fault) => {
      const at = requests.length + nth;
      faults.push({ fault, times: 1, matches: (_, index) => index === at });
    },
    /** Calls back when the nth request from now, counted from 0, has been worked on and is about to be answered. */
    onRequest: (nth: number, listener: () => void) => void listeners.set(requests.length + nth, listener),
    clearFaults: () => void faults.splice(0),
    revoke: (given: string) => void tokens.delete(given),
    setNow: (clock: () => Date) => {
      space.now = clock;
    },
    /** A database of one data source, or of several by name. */
    givenDatabase: (
      name: string,
      properties: Record<string, PropertyConfig>,
      sourceNames: readonly string[] = [name],
    ) => {
      const database: Database = { id: randomUUID(), name, sources: [], isShared: true };
      for (const each of sourceNames) {
        const source = { id: randomUUID(), name: each, databaseId: database.id, properties };
        sources.set(source.id, source);
        database.sources.push(source);
      }
      databases.set(database.id, database);
      return {
        id: database.id,
        sourceId: database.sources[0]?.id ?? '',
        sourceIds: database.sources.map(({ id }) => id),
      };
    },
    unshare: (databaseId: string) => {
      const database = databases.get(databaseId);
      if (database) database.isShared = false;
    },
    setSchema: (sourceId: string, properties: Record<string, PropertyConfig>) => {
      const source = sources.get(sourceId);
      if (source) source.properties = properties;
    },
    setProperty: (pageId: string, name: string, value: Json) => {
      const page = pageOf(pageId);
      page.properties = { ...page.properties, [name]: value };
    },
    givenPerson: (name: string) => {
      const id = randomUUID();
      people.set(id, name);
      return id;
    },
    /** A page somebody made by hand. */
    givenPage: (sourceId: string, properties: Json, by = randomUUID()) => {
      const page: Page = {
        id: randomUUID(),
        dataSourceId: sourceId,
        properties,
        icon: null,
        cover: null,
        createdBy: by,
        createdAt: space.now(),
        inTrash: false,
        children: [],
      };
      pages.set(page.id, page);
      return page.id;
    },
    /** A block somebody put on a page by hand, after another one. */
    givenBlock: (pageId: string, given: Json, afterId: string | null, by = randomUUID()) => {
      const page = pageOf(pageId);
      const at =
        afterId === null
          ? { type: 'start' as const }
          : { type: 'after_block' as const, after_block: { id: afterId } };
      return append(page, newBlocks([given]), at, by)[0]?.id ?? '';
    },
    trash: (id: string) => {
      const found = pages.get(id) ?? blocks.get(id);
      if (found) found.inTrash = true;
    },
    livePages: () => [...pages.values()].filter(({ inTrash }) => !inTrash).map(pageObject),
    page: (id: string) => pageObject(pageOf(id)) as Json & { properties: Record<string, Json>; parent: Json },
    blocksOf: (id: string) =>
      live((pages.get(id) ?? blockOf(id)).children).map(blockObject) as (Json & {
        id: string;
        type: string;
      })[],
    /** The page as lines: type, colour, text; children indented. */
    outline: (pageId: string) => outlineOf(liveTree(pageOf(pageId).children)),
    uploaded: () =>
      [...uploads.values()].map(({ status, parts, filename }) => ({
        status,
        filename,
        bytes: Buffer.concat([...parts].toSorted(([a], [b]) => a - b).map(([, part]) => part)),
      })),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};

export type NotionServer = Awaited<ReturnType<typeof openNotionServer>>;
