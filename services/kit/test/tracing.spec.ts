import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { coalesce } from '../src/coalesce.ts';
import { deliver, type Received, retry } from '../src/delivery.ts';
import { createLog } from '../src/log.ts';
import { scrape } from '../src/metrics.ts';
import { otlpRecorder } from '../src/otlp-recorder.ts';
import { providerFetch } from '../src/provider-call.ts';
import { currentContext, isSampled, withContext } from '../src/request-context.ts';
import { shutDown } from '../src/shut-down.ts';
import { startTracing } from '../src/telemetry.ts';
import { inSpan, isRecording, type Recorder, recordWith, startSpan } from '../src/tracing.ts';
import { type Collector, startCollector } from '../testing/collector.ts';

let collector: Collector;
beforeAll(async () => {
  collector = await startCollector();
});
afterAll(() => collector.stop());

let recorder: Recorder | null = null;
const record = (ratio = 1) => {
  const settings = { service: 'test', url: `${collector.url}/v1/traces`, headers: {}, ratio };
  recorder = otlpRecorder(settings);
  recordWith(recorder);
};
/** All that was recorded since the last call. */
const recorded = async () => {
  const before = collector.spans.length;
  await recorder?.close();
  return collector.spans.slice(before);
};
afterEach(async () => {
  recordWith(null);
  await recorder?.close();
  recorder = null;
});

const entry = { name: 'GET /', kind: 'server', isEntry: true } as const;
const inner = { name: 'inner', kind: 'internal' } as const;
const traceparent = (flags: string) => `00-${'a'.repeat(32)}-${'b'.repeat(16)}-${flags}`;

describe('tracing that is off', () => {
  it('still gives a request an id for its log lines, and asks nobody to record', () => {
    const { context } = startSpan(entry);
    expect(context.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it('leaves the caller’s ids as they are', async () => {
    const given = { traceparent: traceparent('01'), tracestate: 'a=b', requestId: 'r' };
    expect(startSpan(entry, given).context).toEqual(given);
    await inSpan(inner, async () => expect(currentContext()).toEqual(given), given);
  });

  it.each([{}, { OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }])(
    'is what %j means',
    async (env) => {
      expect(await startTracing('test', env)).toEqual([]);
      expect(isRecording()).toBe(false);
    },
  );
});

describe('a trace', () => {
  it('is a tree below the entry, with the fault that ended a span', async () => {
    record();
    const root = startSpan(entry);
    const fails = inSpan(inner, () => Promise.reject(new TypeError('secret')), root.context);
    await expect(fails).rejects.toThrow();
    root.rename('GET /jobs');
    root.end();
    const spans = await recorded();
    const [child, parent] = spans;
    expect(spans.map(({ name }) => name)).toEqual(['inner', 'GET /jobs']);
    expect(child?.parentSpanId).toBe(parent?.spanId);
    expect(child?.attributes).toMatchObject({ 'error.type': 'TypeError' });
    expect(JSON.stringify(spans)).not.toContain('secret');
  });

  it('begins at an entry and nowhere else', async () => {
    record();
    await inSpan(inner, async () => expect(currentContext()).toEqual({}));
    expect(await recorded()).toEqual([]);
  });

  it('follows the decision of whoever is up the line', async () => {
    record();
    await inSpan(inner, async () => {}, { traceparent: traceparent('00') });
    await inSpan(inner, async () => {}, { traceparent: traceparent('01'), tracestate: 'a=b' });
    expect((await recorded()).map(({ parentSpanId }) => parentSpanId)).toEqual(['b'.repeat(16)]);
  });

  it('is recorded for a share of the requests, whatever their callers ask for', async () => {
    record(0);
    const { context } = startSpan(entry, { traceparent: `00-${'f'.repeat(32)}-${'b'.repeat(16)}-01` });
    expect(context.traceparent).toContain('f'.repeat(32));
    expect(isSampled(context.traceparent ?? '')).toBe(false);
    expect(await recorded()).toEqual([]);
  });

  it('knows, of shared work, whom else it was done for', async () => {
    record();
    const roots = [startSpan(entry), startSpan(entry), startSpan(entry)];
    const shared = coalesce((items: readonly number[]) => inSpan(inner, async () => items), { maxItems: 10 });
    await Promise.all(roots.map(({ context }, index) => withContext(context, () => shared(index))));
    const [span] = await recorded();
    expect(span?.links).toHaveLength(2);
  });
});

describe('a message that is delivered again', () => {
  const delivered = (deliveryCount: number): Received => ({
    subject: 'work.run.normal.1',
    data: new Uint8Array(),
    headers: {
      get: (key: string) => ({ traceparent: traceparent('01'), 'Esl-Schema': 'known' })[key] ?? '',
    } as never,
    seq: 1,
    timestampNanos: 0n,
    info: { stream: 'WORK', deliveryCount },
    ack: () => {},
    nak: () => {},
    term: () => {},
    working: () => {},
  });

  it('is a span of the same trace, linked to the publishing', async () => {
    record();
    const handlers = new Map([['known', async () => retry(0)]]);
    for (const count of [1, 2])
      await deliver({} as never, delivered(count), {
        durable: 'workers',
        handlers,
        log: createLog('test', 'silent'),
      });
    const spans = await recorded();
    expect(spans.map(({ name, links = [] }) => [name, links.length])).toEqual([
      ['process work.run.normal.*', 0],
      ['process work.run.normal.*', 1],
    ]);
    expect(spans[1]?.attributes).toMatchObject({
      'esl.message.deliveries': 2,
      'esl.message.verdict': 'retry',
    });
  });
});

describe('a collector that does not answer', () => {
  it('keeps no service from stopping', async () => {
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const steps = await startTracing('test', { OTEL_EXPORTER_OTLP_ENDPOINT: url });
    startSpan(entry).end();
    const stopped: string[] = [];
    const after = { name: 'admin', withinMs: 100, run: () => void stopped.push('admin') };
    await shutDown([...steps, after], createLog('test', 'silent'));
    expect(steps.map(({ name }) => name)).toEqual(['telemetry']);
    expect(stopped).toEqual(['admin']);
    server.close();
    server.closeAllConnections();
  });
});

describe('a call to a service outside', () => {
  const answering = async (status: number) => {
    const heard: IncomingHttpHeaders[] = [];
    const server = createServer((request, response) => {
      heard.push(request.headers);
      response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const close = () => void server.close().closeAllConnections();
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1?key=secret`, heard, close };
  };
  const call = { provider: 'spec', operation: 'look_up' } as const;

  it('is a span, measured, and neither shows its address nor sends our ids', async () => {
    record();
    const outside = await answering(429);
    const root = startSpan(entry);
    await withContext(root.context, () => providerFetch(call, outside.url, {}));
    outside.close();
    await withContext(root.context, () => providerFetch(call, outside.url, {})).catch(() => {});
    const spans = await recorded();
    expect(spans.map(({ name }) => name)).toEqual(['spec look_up', 'spec look_up']);
    expect(spans[0]?.attributes).toEqual({
      'http.request.method': 'GET',
      'http.response.status_code': 429,
      'server.address': '127.0.0.1',
    });
    expect(outside.heard.map(({ traceparent, tracestate }) => [traceparent, tracestate])).toEqual([
      [undefined, undefined],
    ]);
    const text = await scrape();
    expect(text).toContain('esl_provider_seconds_count{provider="spec",operation="look_up",status="429"} 1');
    expect(text).toContain(
      'esl_provider_seconds_count{provider="spec",operation="look_up",status="failed"} 1',
    );
    expect(text + JSON.stringify(spans)).not.toContain('secret');
  });
});
