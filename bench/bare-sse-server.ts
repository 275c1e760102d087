import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const frame = Buffer.from(process.argv[2] ?? '');
const viewers = new Set<ServerResponse>();

/** The least a server can do: hold the connections and write the same bytes to each. */
const server = createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': connected\n\n');
  viewers.add(response);
  response.on('close', () => viewers.delete(response));
});
server.listen(0, '127.0.0.1', () =>
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
);

process.on('message', async (events: number) => {
  for (let index = 0; index < events; index += 1) {
    for (const viewer of viewers) viewer.write(frame);
    await delay(5);
  }
});
