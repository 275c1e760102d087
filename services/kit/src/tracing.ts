// Spans, for whoever wants them.
//   T1. Off, a span costs one look at a variable: the SDK is not even loaded.
//   T2. A trace begins where a request enters (`isEntry`) and nowhere else: work that belongs to no request, such as
//       renewing leases, is not traced.
//   T3. What is not sampled is not recorded here, nor by whoever is called.
//   T4. The span that is under way is the `traceparent` of the request context.

import { randomBytes } from 'node:crypto';
import { currentContext, isSampled, type RequestContext, withContext } from './request-context.ts';

export type Attributes = Readonly<Record<string, string | number | boolean>>;

export type SpanSpec = {
  /** Of a bounded set, never with an id: `POST /jobs`. */
  readonly name: string;
  readonly kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal';
  readonly attributes?: Attributes;
  /** A request enters the system here. How many of them are recorded is ours to say, whatever the caller asks for. */
  readonly isEntry?: boolean;
  /** Traceparents of what else this span stands for. */
  readonly links?: readonly string[];
};

export type Span = {
  /** For what happens inside the span. */
  readonly context: RequestContext;
  readonly set: (attributes: Attributes) => void;
  /** For a request whose route is known only once it was found. */
  readonly rename: (name: string) => void;
  /** With the fault that ended it, if one did. */
  readonly end: (fault?: unknown) => void;
};

export type Recorder = {
  readonly start: (spec: SpanSpec, parent: RequestContext) => Omit<Span, 'context'> & { traceparent: string };
  /** Sends what is recorded, and stops. */
  readonly close: () => Promise<void>;
};

let recorder: Recorder | null = null;

/** Records spans from now on, or no longer (null). The process has one recorder, as it has one metrics registry. */
export const recordWith = (next: Recorder | null): void => {
  recorder = next;
};

export const isRecording = (): boolean => recorder !== null;

const nothing = () => {};

/** Ids without a recorder, so that the log lines of one request can still be found together. */
const unrecorded = (): string => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-00`;

const isWanted = ({ isEntry = false }: SpanSpec, { traceparent }: RequestContext): boolean =>
  isEntry || (traceparent !== undefined && isSampled(traceparent));

/** Begins a span inside `parent`. Whoever begins one ends it. */
export const startSpan = (spec: SpanSpec, parent: RequestContext = currentContext()): Span => {
  if (recorder === null || !isWanted(spec, parent)) {
    const context = spec.isEntry && !parent.traceparent ? { ...parent, traceparent: unrecorded() } : parent;
    return { context, set: nothing, rename: nothing, end: nothing };
  }
  const { alsoFor, ...ids } = parent;
  const links = [...(spec.links ?? []), ...(alsoFor ?? [])];
  const { traceparent, ...span } = recorder.start({ ...spec, links }, parent);
  return { ...span, context: { ...ids, traceparent } };
};

/** Runs work in a span of its own; a fault is written down and passed on. */
export const inSpan = async <T>(
  spec: SpanSpec,
  run: (span: Pick<Span, 'set'>) => Promise<T>,
  parent: RequestContext = currentContext(),
): Promise<T> => {
  const span = startSpan(spec, parent);
  try {
    const result = await withContext(span.context, () => run(span));
    span.end();
    return result;
  } catch (error) {
    span.end(error);
    throw error;
  }
};
