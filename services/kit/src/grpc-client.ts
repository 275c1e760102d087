import {
  create,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import { MAX_MESSAGE_BYTES, REFUSAL_TRAILER, unaryMethods } from './grpc-wire.ts';
import { seconds } from './metrics.ts';
import type { Refusal } from './outcome.ts';
import { currentContext } from './request-context.ts';
import { inSpan } from './tracing.ts';

/** The service answered "no": a stable code and a sentence for people. */
export class Refused extends Error {
  override name = 'Refused';
  readonly refusal: Refusal;
  readonly status: grpc.status;
  constructor(refusal: Refusal, status: grpc.status) {
    super(`${refusal.code}: ${refusal.message}`);
    this.refusal = refusal;
    this.status = status;
  }
}

/** The call itself failed: no connection, late, or a fault on the other side. */
export class CallFailed extends Error {
  override name = 'CallFailed';
  readonly status: grpc.status;
  constructor(method: string, status: grpc.status, options?: ErrorOptions) {
    super(`${method}: ${grpc.status[status]}`, options);
    this.status = status;
  }
}

/** One function a method. Throws `Refused`, `CallFailed`, or the signal's reason. */
export type ServiceClient<S extends DescService> = {
  readonly [K in keyof S['method']]: S['method'][K] extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, signal?: AbortSignal) => Promise<MessageShape<O>>
    : never;
};

export type GrpcClient<S extends DescService> = {
  readonly call: ServiceClient<S>;
  readonly ping: (signal: AbortSignal) => Promise<void>;
  readonly close: () => void;
};

/** Calls are safe to repeat (design §9), so a connection that breaks is tried again within the deadline. */
const serviceConfig = JSON.stringify({
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: [{}],
      waitForReady: true,
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: '0.05s',
        maxBackoff: '1s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
});

/** `host:port` is resolved by DNS again and again (headless services); a comma list names fixed addresses. */
const target = (address: string) => (address.includes(',') ? `ipv4:${address}` : `dns:///${address}`);

const refusalIn = (metadata: grpc.Metadata | undefined): Refusal | null => {
  const trailer = metadata?.get(REFUSAL_TRAILER)[0];
  return Buffer.isBuffer(trailer) ? (JSON.parse(trailer.toString('utf8')) as Refusal) : null;
};

const answered = seconds('esl_grpc_client_seconds', 'Time until a call was answered', [
  'service',
  'method',
  'status',
]);

const outgoingMetadata = (): grpc.Metadata => {
  const metadata = new grpc.Metadata({ waitForReady: true });
  const { requestId, traceparent, tracestate } = currentContext();
  if (requestId) metadata.set('x-request-id', requestId);
  if (traceparent) metadata.set('traceparent', traceparent);
  if (tracestate) metadata.set('tracestate', tracestate);
  return metadata;
};

/** A client of one service; every call ends within `deadlineMs`. */
export const connectGrpc = <S extends DescService>(
  descriptor: S,
  { address, deadlineMs }: { readonly address: string; readonly deadlineMs: number },
): GrpcClient<S> => {
  const client = new grpc.Client(target(address), grpc.credentials.createInsecure(), {
    'grpc.service_config': serviceConfig,
    'grpc.service_config_disable_resolution': 1,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 5_000,
    // A replica that leaves is soon followed by another at a new address: half a minute, the default, is a roll too long.
    'grpc.dns_min_time_between_resolutions_ms': 1_000,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
  });

  const invoke = (method: DescMethodUnary) => {
    const path = `/${descriptor.typeName}/${method.name}`;
    const labels = { service: descriptor.name, method: method.name };
    const spec = {
      name: path.slice(1),
      kind: 'client',
      attributes: { 'rpc.system.name': 'grpc', 'rpc.method': path.slice(1) },
    } as const;
    const encode = (message: object) => Buffer.from(toBinary(method.input, message as never));
    const decode = (bytes: Buffer) => fromBinary(method.output, bytes);
    const send = (request: object, signal: AbortSignal | undefined, onEnd: (status: string) => void) =>
      new Promise<object>((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const hangUp = () => call.cancel();
        const call = client.makeUnaryRequest(
          path,
          encode,
          decode,
          create(method.input, request as never) as object,
          outgoingMetadata(),
          { deadline: Date.now() + deadlineMs },
          (error, response) => {
            signal?.removeEventListener('abort', hangUp);
            const status = error?.code ?? (response ? grpc.status.OK : grpc.status.UNKNOWN);
            onEnd(grpc.status[status]);
            if (response) return resolve(response);
            if (signal?.aborted) return reject(signal.reason);
            const refusal = refusalIn(error?.metadata);
            reject(refusal ? new Refused(refusal, status) : new CallFailed(path, status, { cause: error }));
          },
        );
        signal?.addEventListener('abort', hangUp, { once: true });
      });
    return (request: object, signal?: AbortSignal): Promise<object> =>
      inSpan(spec, (span) => {
        const end = answered.startTimer(labels);
        return send(request, signal, (status) => {
          end({ status });
          span.set({ 'rpc.status_code': status });
        });
      });
  };

  const calls = Object.fromEntries(
    unaryMethods(descriptor).map((method) => [method.localName, invoke(method)]),
  );
  return {
    call: calls as unknown as ServiceClient<S>,
    ping: () =>
      new Promise((resolve, reject) =>
        client.waitForReady(Date.now() + 1_500, (error) => (error ? reject(error) : resolve())),
      ),
    close: () => client.close(),
  };
};
