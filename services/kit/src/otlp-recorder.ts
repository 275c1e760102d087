// The OpenTelemetry SDK, loaded only when traces are asked for (tracing.ts, T1): 20 MB and 60 ms that others save.

import {
  type Context,
  createContextKey,
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { isSampled, type RequestContext, spanIdOf, traceIdOf } from './request-context.ts';
import type { Recorder, SpanSpec } from './tracing.ts';

const EXPORT_MS = 5_000;
/** Spans that wait for the exporter; more are dropped. About 1 KB each. */
const MAX_WAITING = 8_192;
const MAX_VALUE_LENGTH = 256;

const KIND = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const satisfies Record<SpanSpec['kind'], SpanKind>;

const ENTRY = createContextKey('a request enters here');

/** The ratio decides once, at the entry; everything below follows (tracing.ts, T3). */
const entrySampler = (ratio: number): Sampler => {
  const [atEntry, below] = [new TraceIdRatioBasedSampler(ratio), new AlwaysOnSampler()];
  return {
    shouldSample: (context, traceId) =>
      context.getValue(ENTRY) ? atEntry.shouldSample(context, traceId) : below.shouldSample(),
    toString: () => `EntryRatio{${ratio}}`,
  };
};

const spanContextOf = (traceparent: string, tracestate?: string) => ({
  traceId: traceIdOf(traceparent),
  spanId: spanIdOf(traceparent),
  traceFlags: isSampled(traceparent) ? 1 : 0,
  isRemote: true,
  ...(tracestate && { traceState: createTraceState(tracestate) }),
});

const contextOf = ({ isEntry }: SpanSpec, { traceparent, tracestate }: RequestContext): Context => {
  const parent = traceparent
    ? trace.setSpanContext(ROOT_CONTEXT, spanContextOf(traceparent, tracestate))
    : ROOT_CONTEXT;
  return isEntry ? parent.setValue(ENTRY, true) : parent;
};

/** What kind of fault it was. The message stays in the log, which knows what to leave out. */
const faultName = (fault: unknown): string => {
  if (!(fault instanceof Error)) return String(fault);
  const { code } = fault as { code?: unknown };
  return typeof code === 'string' ? code : fault.name;
};

export const otlpRecorder = ({
  service,
  url,
  headers,
  ratio,
}: {
  readonly service: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly ratio: number;
}): Recorder => {
  const exporter = new OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: EXPORT_MS });
  const named = resourceFromAttributes({
    'service.namespace': 'esl-pipeline',
    'service.name': service,
    'process.pid': process.pid,
  });
  const provider = new TracerProvider({
    resource: named.merge(detectResources({ detectors: [envDetector] })),
    sampler: entrySampler(ratio),
    spanLimits: { attributeValueLengthLimit: MAX_VALUE_LENGTH },
    spanProcessors: [
      new BatchSpanProcessor({ exporter, maxQueueSize: MAX_WAITING, scheduledDelayMillis: 1_000 }),
    ],
  });
  const tracer = provider.getTracer('esl-pipeline');
  return {
    start: (spec, parent) => {
      const { name, kind, attributes, links = [] } = spec;
      const span = tracer.startSpan(
        name,
        {
          kind: KIND[kind],
          ...(attributes && { attributes: { ...attributes } }),
          links: links.map((link) => ({ context: spanContextOf(link) })),
        },
        contextOf(spec, parent),
      );
      const { traceId, spanId, traceFlags } = span.spanContext();
      return {
        traceparent: `00-${traceId}-${spanId}-0${traceFlags & 1}`,
        rename: (better) => void span.updateName(better),
        set: (more) => void span.setAttributes({ ...more }),
        end: (fault) => {
          if (fault !== undefined)
            span.setAttribute('error.type', faultName(fault)).setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        },
      };
    },
    close: () => provider.shutdown(),
  };
};
