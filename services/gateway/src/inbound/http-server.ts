import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CLASS_OF, type ErrorCode } from './problem.ts';

/** How long a client may take to send its headers, and its whole request, in ms. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
const KEEP_ALIVE_MS = 65_000;
const CHECK_MS = 2_000;
/** Room for a query of 500 job ids. */
const MAX_HEADER_BYTES = 32 * 1024;
/** Connections besides the event streams. */
const OTHER_CONNECTIONS = 5_000;
const DRAIN_MS = 50;

export type HttpServer = {
  readonly port: number;
  /** Answers requests from now on; until then they get 503. */
  readonly serve: (listener: RequestListener) => void;
  /** For so long, in ms, every answer asks the client to come back on another connection; less when none is open. */
  readonly sendAway: (forMs: number) => Promise<void>;
  /** Takes no new connection. */
  readonly stopAccepting: () => void;
  /** Resolves when every answer under way is out, or hangs up when the signal fires. */
  readonly finish: (signal: AbortSignal) => Promise<void>;
};

/** An answer outside Express: to what is not HTTP, and before the gateway is ready. */
const envelope = (code: ErrorCode, message: string): string =>
  JSON.stringify({ error: CLASS_OF[code], message, code });

const rawHeaders = (body: string) => ({
  'content-type': 'application/json; charset=utf-8',
  'content-length': Buffer.byteLength(body),
  'x-content-type-options': 'nosniff',
  'x-request-id': randomUUID(),
  connection: 'close',
});

const starting: RequestListener = (_request, response) => {
  const body = envelope('not_ready', 'The gateway is starting.');
  response.writeHead(503, rawHeaders(body)).end(body);
};

/** Node's own answers to these would be empty. */
const UNREADABLE: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: 'The headers are too large.',
  ERR_HTTP_REQUEST_TIMEOUT: 'The request did not arrive in time.',
};

const onClientError = (error: NodeJS.ErrnoException, socket: Duplex): void => {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const body = envelope(
    'invalid_request',
    UNREADABLE[error.code ?? ''] ?? 'This is not a valid HTTP request.',
  );
  const headers = Object.entries(rawHeaders(body)).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 400 Bad Request\r\n${headers.join('')}\r\n${body}`);
};

const connectionsOf = promisify((server: Server, tell: (error: Error | null, count: number) => void) =>
  server.getConnections(tell),
);

const closed = (server: Server): Promise<void> =>
  server.listening ? new Promise((resolve) => server.once('close', resolve)) : Promise.resolve();

/** Listens at once, so that a taken port is known before anything else is started. */
export const listen = async (settings: {
  readonly host: string;
  readonly port: number;
  readonly maxStreams: number;
}): Promise<HttpServer> => {
  let listener = starting;
  let leaving = false;
  const server = createServer(
    {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAlive: true,
      noDelay: true,
    },
    (request, response) => {
      if (leaving) response.setHeader('connection', 'close');
      listener(request, response);
    },
  );
  server.maxConnections = settings.maxStreams + OTHER_CONNECTIONS;
  server.on('clientError', onClientError);
  await new Promise<void>((resolve, reject) =>
    server
      .once('error', reject)
      .listen({ host: settings.host, port: settings.port, backlog: 4_096 }, resolve),
  );
  const { port } = server.address() as AddressInfo;
  let gone: Promise<void> | null = null;
  return {
    port,
    serve: (now) => {
      listener = now;
    },
    sendAway: async (forMs) => {
      leaving = true;
      const until = Date.now() + forMs;
      while (Date.now() < until && (await connectionsOf(server)) > 0) await delay(DRAIN_MS);
    },
    stopAccepting: () => {
      gone = closed(server);
      server.close();
    },
    finish: async (signal) => {
      const drain = setInterval(() => server.closeIdleConnections(), DRAIN_MS);
      signal.addEventListener('abort', () => server.closeAllConnections(), { once: true });
      try {
        await gone;
      } finally {
        clearInterval(drain);
      }
    },
  };
};
