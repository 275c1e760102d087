import { setTimeout as delay } from 'node:timers/promises';
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import type { Log } from './log.ts';
import { natsAddress } from './nats-address.ts';
import { applyTopology, type Topology } from './topology.ts';

/**
 * How long the streams may take to be in place at the start, and how soon that is tried again, in ms: servers that form
 * a cluster agree on a leader first, and whole clusters start at once.
 */
const FIRST_RESTORE_MS = 120_000;
const FIRST_RETRY_MS = 500;

/** A connection to NATS with the system's streams in place. */
export type Bus = {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** Puts streams and consumers back after the server has lost them. Concurrent calls share one pass. */
  readonly restore: () => Promise<void>;
  /** Calls back after each reconnect, until the returned function is called. */
  readonly onReconnect: (listener: () => void) => () => void;
  readonly ping: (signal: AbortSignal) => Promise<unknown>;
  readonly drain: () => Promise<void>;
};

/** Connects and applies the topology. Reconnects for ever; what is published meanwhile fails and is retried by its owner. */
export const connectBus = async (
  settings: {
    readonly url: string;
    readonly name: string;
    readonly replicas: number;
    /** A stream of facts that has grown to so many bytes loses its oldest; unset or -1: no bound. */
    readonly factsMaxBytes?: number;
    readonly topology: Topology;
  },
  log: Log,
): Promise<Bus> => {
  const nc = await connect({
    ...natsAddress(settings.url),
    name: settings.name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    waitOnFirstConnect: true,
    noAsyncTraces: true, // two stack traces a publish are a tenth of what a submission costs
    timeout: 5_000,
    pingInterval: 10_000,
    ignoreClusterUpdates: false,
  });
  const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: 5_000 });
  const js = jetstream(nc, { timeout: 5_000 });
  let restoring: Promise<void> | null = null;
  const restore = (): Promise<void> => {
    restoring ??= applyTopology(jsm, settings.topology, settings).finally(() => {
      restoring = null;
    });
    return restoring;
  };
  const giveUpAt = Date.now() + FIRST_RESTORE_MS;
  for (;;) {
    try {
      await restore();
      break;
    } catch (error) {
      if (Date.now() > giveUpAt) throw error;
      log.warn({ err: error }, 'streams are not in place yet');
      await delay(FIRST_RETRY_MS);
    }
  }
  const listeners = new Set<() => void>();
  const watchStatus = async () => {
    for await (const status of nc.status()) {
      if (status.type === 'disconnect' || status.type === 'reconnect')
        log.warn({ status: status.type }, 'nats');
      if (status.type === 'reconnect') for (const listener of listeners) listener();
    }
  };
  void watchStatus();
  const onReconnect = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return { nc, js, jsm, restore, onReconnect, ping: () => nc.flush(), drain: () => nc.drain() };
};
