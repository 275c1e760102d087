import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

let spans = 0;

/** The least a collector can do: take what comes, and count it. */
const server = createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  spans += text.split('"spanId"').length - 1;
  response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
});
server.listen(0, '127.0.0.1', () =>
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
);

process.on('message', () => {
  process.send?.(spans);
  spans = 0;
});
