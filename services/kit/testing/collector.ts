import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

type WireValue = { readonly stringValue?: string; readonly intValue?: number; readonly boolValue?: boolean };
type WireAttributes = readonly { readonly key: string; readonly value: WireValue }[];
type WireSpan = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes?: WireAttributes;
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
};
type WireExport = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: WireAttributes };
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
};

export type CollectedSpan = Omit<WireSpan, 'attributes'> & {
  readonly service: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
};

const attributesOf = (wire: WireAttributes = []) =>
  Object.fromEntries(
    wire.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.boolValue ?? '']),
  );

const spansOf = ({ resourceSpans }: WireExport): CollectedSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(attributesOf(resource.attributes)['service.name']);
    return scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({ ...span, service, attributes: attributesOf(span.attributes) })),
    );
  });

/** An OpenTelemetry collector that keeps spans in memory. It takes OTLP over HTTP as JSON and nothing else. */
export const startCollector = async () => {
  const spans: CollectedSpan[] = [];
  const refused: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method, url, headers } = request;
    if (method !== 'POST' || url !== '/v1/traces' || headers['content-type'] !== 'application/json') {
      refused.push(`${method} ${url} ${headers['content-type']}`);
      response.writeHead(400).end();
      return;
    }
    spans.push(...spansOf(JSON.parse(Buffer.concat(chunks).toString()) as WireExport));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: spans as readonly CollectedSpan[],
    refused: refused as readonly string[],
    traceOf: (traceId: string) => spans.filter((span) => span.traceId === traceId),
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

export type Collector = Awaited<ReturnType<typeof startCollector>>;
