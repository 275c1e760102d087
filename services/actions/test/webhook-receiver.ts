import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '@esl/kit/testing/world';
import type { WebhookMessage } from '@esl-pipeline/contracts/http/webhooks';

export type Receipt = {
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly message: WebhookMessage;
};

export type Receiver = {
  readonly url: string;
  /** What has come, oldest first. */
  readonly receipts: readonly Receipt[];
  /** The most messages that waited for their answer at the same time. */
  readonly mostAtOnce: () => number;
  /** Decides the next answers; the default is 204. */
  readonly answer: (how: (response: ServerResponse, receipt: Receipt) => void) => void;
  /** Resolves when so many messages have come. */
  readonly received: (count: number) => Promise<readonly Receipt[]>;
  readonly close: () => void;
};

/** A user's own server, as far as webhooks know it. */
export const startReceiver = async (): Promise<Receiver> => {
  const receipts: Receipt[] = [];
  let open = 0;
  let mostAtOnce = 0;
  const accept = (response: ServerResponse) => void response.writeHead(204).end();
  let answer: Parameters<Receiver['answer']>[0] = accept;
  const server = createServer(async (request, response) => {
    open += 1;
    mostAtOnce = Math.max(mostAtOnce, open);
    response
      .on('error', () => {})
      .on('close', () => {
        open -= 1;
      });
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const { headers } = request;
    const receipt = { id: String(headers['webhook-id']), headers, body, message: JSON.parse(body) };
    receipts.push(receipt);
    answer(response, receipt);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    receipts,
    mostAtOnce: () => mostAtOnce,
    answer: (how) => {
      answer = how;
    },
    received: (count) => eventually(() => (receipts.length >= count ? [...receipts] : null)),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};
