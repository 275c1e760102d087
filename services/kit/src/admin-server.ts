import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metrics, scrape } from './metrics.ts';

/** How long one readiness check may take, in ms. */
const CHECK_MS = 2_000;

type Checks = Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>>;

export type AdminServer = {
  readonly url: string;
  readonly check: (checks: Checks) => void;
  /** From now on /readyz says 503, so that balancers look away. */
  readonly leaveRotation: () => void;
  readonly close: () => Promise<void>;
};

/** Which checks fail now; empty when all pass. */
export const failingChecks = async (checks: Checks): Promise<string[]> => {
  const signal = AbortSignal.timeout(CHECK_MS);
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  late.catch(() => {});
  const results = await Promise.allSettled(
    Object.values(checks).map((check) => Promise.race([check(signal), late])),
  );
  return Object.keys(checks).filter((_, index) => results[index]?.status === 'rejected');
};

/** `/livez`, `/readyz` and `/metrics` on a port of their own, for probes and scrapers only. */
export const startAdminServer = async ({
  host,
  port,
}: {
  host: string;
  port: number;
}): Promise<AdminServer> => {
  let checks: Checks | null = null;
  let leaving = false;
  const server: Server = createServer(async (request, response) => {
    const answer = (status: number, body: string, type = 'application/json') =>
      response.writeHead(status, { 'content-type': type }).end(body);
    if (request.url === '/livez') return answer(200, '{"status":"ok"}');
    if (request.url === '/metrics') return answer(200, await scrape(), metrics.contentType);
    if (request.url !== '/readyz') return answer(404, '{"status":"not found"}');
    if (!checks || leaving) return answer(503, `{"status":"${leaving ? 'stopping' : 'starting'}"}`);
    const failing = await failingChecks(checks);
    return answer(
      failing.length ? 503 : 200,
      JSON.stringify({ status: failing.length ? 'unavailable' : 'ok', failing }),
    );
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  const address = server.address() as AddressInfo;
  return {
    url: `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${address.port}`,
    check: (now) => {
      checks = now;
    },
    leaveRotation: () => {
      leaving = true;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
