import {
  create,
  type DescFile,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import * as grpc from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { MAX_MESSAGE_BYTES, REFUSAL_TRAILER, unaryMethods } from './grpc-wire.ts';
import type { Log } from './log.ts';
import { seconds } from './metrics.ts';
import type { Outcome } from './outcome.ts';
import { readContext, withContext } from './request-context.ts';
import { startSpan } from './tracing.ts';

/**
 * How long a connection serves before its caller is asked to make another, and how long its calls may then go on, in
 * ms. Shorter than an orchestrator waits before it stops a replica (preStop in deploy/base), so that by then callers
 * have moved to others without noticing.
 */
const CONNECTION_AGE_MS = 20_000;
const CONNECTION_GRACE_MS = 30_000;

export type Call = { readonly signal: AbortSignal };

type Methods<S extends DescService> = S['method'];

/** One handler a method. A refusal becomes a gRPC error with its code; a thrown fault becomes INTERNAL and is logged. */
export type ServiceHandlers<S extends DescService> = {
  readonly [K in keyof Methods<S>]: Methods<S>[K] extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, call: Call) => Promise<Outcome<MessageInitShape<O>>>
    : never;
};

type AnyHandler = (request: unknown, call: Call) => Promise<Outcome<object>>;

export type ServedService = {
  readonly descriptor: DescService;
  readonly handlers: Readonly<Record<string, AnyHandler>>;
  readonly statuses: Readonly<Record<string, grpc.status>>;
};

/** Joins a descriptor with its handlers and the gRPC status of every refusal code they use. */
export const serve = <S extends DescService>(
  descriptor: S,
  handlers: ServiceHandlers<S>,
  statuses: Readonly<Record<string, grpc.status>>,
): ServedService => ({ descriptor, handlers: handlers as unknown as ServedService['handlers'], statuses });

export type GrpcServer = {
  readonly address: string;
  /** Lets running calls finish, then closes; hangs up when the signal fires. */
  readonly close: (signal: AbortSignal) => Promise<void>;
};

const handled = seconds('esl_grpc_server_seconds', 'Time to answer a call', ['method', 'status']);

const codec = (method: DescMethodUnary): grpc.MethodDefinition<object, object> => ({
  path: `/${method.parent.typeName}/${method.name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: (message) => Buffer.from(toBinary(method.input, message as never)),
  requestDeserialize: (bytes) => fromBinary(method.input, bytes),
  responseSerialize: (message) => Buffer.from(toBinary(method.output, message as never)),
  responseDeserialize: (bytes) => fromBinary(method.output, bytes),
});

const only = (values: grpc.MetadataValue[]) => (typeof values[0] === 'string' ? values[0] : undefined);

const unary = (
  method: DescMethodUnary,
  { handlers, statuses }: ServedService,
  log: Log,
): grpc.handleUnaryCall<object, object> => {
  const handler = handlers[method.localName];
  if (!handler) throw new Error(`no handler for ${method.parent.typeName}/${method.name}`);
  const spec = {
    name: `${method.parent.typeName}/${method.name}`,
    kind: 'server',
    attributes: {
      'rpc.system.name': 'grpc',
      'rpc.method': `${method.parent.typeName}/${method.name}`,
    },
  } as const;
  return (call, reply) => {
    const end = handled.startTimer({ method: method.name });
    const hungUp = new AbortController();
    call.on('cancelled', () => hungUp.abort());
    const said = {
      requestId: only(call.metadata.get('x-request-id')),
      traceparent: only(call.metadata.get('traceparent')),
      tracestate: only(call.metadata.get('tracestate')),
    };
    const span = startSpan(spec, readContext(said));
    const over = (status: string, fault?: unknown) => {
      end({ status });
      span.set({ 'rpc.status_code': status });
      span.end(fault);
    };
    const fail = (code: grpc.status, details: string, metadata?: grpc.Metadata, fault?: unknown) => {
      over(grpc.status[code], fault);
      reply({ code, details, ...(metadata && { metadata }) });
    };
    const run = async () => {
      try {
        const outcome = await handler(call.request, { signal: hungUp.signal });
        if (outcome.ok) {
          over('OK');
          reply(null, create(method.output, outcome.value as never));
          return;
        }
        const trailer = new grpc.Metadata();
        trailer.set(REFUSAL_TRAILER, Buffer.from(JSON.stringify(outcome.refusal)));
        fail(
          statuses[outcome.refusal.code] ?? grpc.status.FAILED_PRECONDITION,
          outcome.refusal.code,
          trailer,
        );
      } catch (error) {
        if (hungUp.signal.aborted) return fail(grpc.status.CANCELLED, 'the caller hung up');
        log.error({ err: error, method: method.name }, 'call failed');
        fail(grpc.status.INTERNAL, 'internal error', undefined, error);
      }
    };
    void withContext(span.context, run);
  };
};

const filesOf = (file: DescFile, seen = new Map<string, DescFile>()): Map<string, DescFile> => {
  if (!seen.has(file.name)) {
    seen.set(file.name, file);
    for (const dependency of file.dependencies) filesOf(dependency, seen);
  }
  return seen;
};

/** The package definition that reflection reads: every file descriptor the services stand on. */
const describePackage = (services: readonly ServedService[]) => {
  const files = new Map<string, DescFile>();
  for (const { descriptor } of services) filesOf(descriptor.file, files);
  const fileDescriptorProtos = [...files.values()].map(({ proto, name }) => {
    const named = proto.name.endsWith('.proto')
      ? proto
      : create(FileDescriptorProtoSchema, { ...proto, name: `${name}.proto` });
    return Buffer.from(toBinary(FileDescriptorProtoSchema, named));
  });
  return { all: { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos } };
};

/** Serves gRPC with health and reflection. */
export const startGrpcServer = async (
  settings: { readonly host: string; readonly port: number },
  services: readonly ServedService[],
  log: Log,
): Promise<GrpcServer> => {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': 1_000,
    'grpc.keepalive_time_ms': 20_000,
    // Callers look addresses up only when they connect: without this a new replica would never be found.
    'grpc.max_connection_age_ms': CONNECTION_AGE_MS,
    'grpc.max_connection_age_grace_ms': CONNECTION_GRACE_MS,
  });
  for (const service of services) {
    const methods = unaryMethods(service.descriptor);
    const definition = Object.fromEntries(methods.map((method) => [method.localName, codec(method)]));
    const implementation = Object.fromEntries(
      methods.map((method) => [method.localName, unary(method, service, log)]),
    );
    server.addService(definition, implementation);
  }
  const health = new HealthImplementation({ '': 'SERVING' });
  for (const { descriptor } of services) health.setStatus(descriptor.typeName, 'SERVING');
  health.addToServer(server);
  new ReflectionService(describePackage(services) as never).addToServer(server);

  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(
      `${settings.host}:${settings.port}`,
      grpc.ServerCredentials.createInsecure(),
      (error, port) => (error ? reject(error) : resolve(port)),
    );
  });
  return {
    address: `${settings.host === '0.0.0.0' ? '127.0.0.1' : settings.host}:${bound}`,
    close: (signal) =>
      new Promise((resolve) => {
        health.setStatus('', 'NOT_SERVING');
        signal.addEventListener('abort', () => server.forceShutdown(), { once: true });
        server.tryShutdown(() => resolve());
      }),
  };
};
