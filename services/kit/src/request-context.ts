import { AsyncLocalStorage } from 'node:async_hooks';

/** Ids that follow one request through every call and message it causes. */
export type RequestContext = {
  readonly requestId?: string;
  /** W3C Trace Context: the span that what happens now belongs to. There is no second place that knows it. */
  readonly traceparent?: string;
  /** What tracing systems outside have attached; passed on as it is. */
  readonly tracestate?: string;
  /** Traceparents of the other requests that the same work is done for (coalesce.ts). */
  readonly alsoFor?: readonly string[];
};

const NOTHING: RequestContext = {};

const storage = new AsyncLocalStorage<RequestContext>();

export const currentContext = (): RequestContext => storage.getStore() ?? NOTHING;

export const withContext = <T>(context: RequestContext, run: () => T): T => storage.run(context, run);

/** Work that belongs to no request, started from within one: what it causes is not put down to that request. */
export const withoutContext = <T>(run: () => T): T => storage.run(NOTHING, run);

/** W3C Trace Context, version 00; all-zero ids are not ids. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

const kept = (given: unknown, wellFormed: RegExp): string | undefined =>
  typeof given === 'string' && wellFormed.test(given) ? given : undefined;

/** What a request, call or message says it belongs to. What is not well formed was not said. */
export const readContext = (said: {
  readonly requestId?: unknown;
  readonly traceparent?: unknown;
  readonly tracestate?: unknown;
}): RequestContext => {
  const requestId = kept(said.requestId, REQUEST_ID);
  const traceparent = kept(said.traceparent, TRACEPARENT);
  const tracestate = traceparent && kept(said.tracestate, TRACESTATE);
  return {
    ...(requestId && { requestId }),
    ...(traceparent && { traceparent }),
    ...(tracestate && { tracestate }),
  };
};

export const traceIdOf = (traceparent: string): string => traceparent.slice(3, 35);
export const spanIdOf = (traceparent: string): string => traceparent.slice(36, 52);

/** Whether somebody up the line records this trace. */
export const isSampled = (traceparent: string): boolean =>
  (Number.parseInt(traceparent.slice(53), 16) & 1) === 1;
