import {
  AckPolicy,
  type ConsumerConfig,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';

export type StreamShape = {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly description: string;
  readonly retention: 'facts' | 'work';
  readonly maxAgeMs: number;
  readonly duplicateWindowMs: number;
  readonly onePerSubject?: boolean;
  readonly lastPerSubject?: boolean;
};

export type ConsumerShape = {
  readonly stream: string;
  readonly durable: string;
  readonly filter: string;
  readonly ackWaitMs: number;
  readonly maxAckPending: number;
};

/** The streams and durable consumers a system needs, as data. */
export type Topology = {
  readonly streams: readonly StreamShape[];
  readonly consumers: readonly ConsumerShape[];
};

const isNotFound = (error: unknown) => error instanceof JetStreamApiError && error.status === 404;

/** What an installation decides for all streams. */
type Sizes = { readonly replicas: number; readonly factsMaxBytes?: number };

const streamConfig = (stream: StreamShape, { replicas, factsMaxBytes = -1 }: Sizes) =>
  ({
    name: stream.name,
    subjects: [...stream.subjects],
    description: stream.description,
    retention: stream.retention === 'work' ? RetentionPolicy.Workqueue : RetentionPolicy.Limits,
    storage: StorageType.File,
    num_replicas: replicas,
    max_age: nanos(stream.maxAgeMs),
    max_bytes: stream.retention === 'facts' ? factsMaxBytes : -1,
    duplicate_window: nanos(stream.duplicateWindowMs),
    allow_direct: true,
    ...(stream.onePerSubject
      ? { max_msgs_per_subject: 1, discard: DiscardPolicy.New, discard_new_per_subject: true }
      : { discard: DiscardPolicy.Old, ...(stream.lastPerSubject && { max_msgs_per_subject: 1 }) }),
  }) satisfies Partial<StreamConfig>;

const consumerConfig = (consumer: ConsumerShape, replicas: number) =>
  ({
    durable_name: consumer.durable,
    filter_subject: consumer.filter,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(consumer.ackWaitMs),
    max_ack_pending: consumer.maxAckPending,
    max_deliver: -1,
    num_replicas: replicas,
  }) satisfies Partial<ConsumerConfig>;

/** Creates what is missing and updates what differs. Safe to repeat, and from many replicas at once. */
export const applyTopology = async (
  jsm: JetStreamManager,
  topology: Topology,
  sizes: Sizes,
): Promise<void> => {
  const applyStream = async (stream: StreamShape) => {
    const config = streamConfig(stream, sizes);
    try {
      await jsm.streams.info(stream.name);
      await jsm.streams.update(stream.name, config);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await jsm.streams.add(config);
    }
  };
  await Promise.all(topology.streams.map(applyStream));
  await Promise.all(
    topology.consumers.map((consumer) =>
      jsm.consumers.add(consumer.stream, consumerConfig(consumer, sizes.replicas)),
    ),
  );
};
