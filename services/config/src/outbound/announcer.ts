import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type Bus, connectBus } from '@esl/kit/bus';
import type { Log } from '@esl/kit/log';
import { announce } from '@esl/kit/publish';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import type { LiveCatalog } from '../app/live-catalog.ts';

/**
 * Says `config.changed` for every new version, and for the one in force whenever the connection is made: whoever
 * missed a change hears of it then. A lost announcement costs only latency, so nothing waits for NATS.
 */
export const announceChanges = (
  catalog: Pick<LiveCatalog, 'current' | 'onChange'>,
  url: string,
  { now, log }: { now: () => Date; log: Log },
): {
  /** Says it once more: something besides the catalog has changed that others may remember. */
  readonly say: () => void;
  readonly stop: () => Promise<void>;
} => {
  let bus: Bus | null = null;
  let stopped = false;
  const say = () => {
    if (!bus || stopped) return;
    const message = { version: catalog.current().version, occurredAt: timestampFromDate(now()) };
    try {
      announce(bus, CHANNELS.configChanged, '', message);
    } catch (error) {
      log.warn({ err: error }, 'config.changed was not announced');
    }
  };
  catalog.onChange(say);
  const settings = { url, name: 'config', replicas: 1, topology: { streams: [], consumers: [] } };
  const connect = async () => {
    const connected = await connectBus(settings, log);
    // Stopped meanwhile: whether it still closes in order is of no matter.
    if (stopped) return await connected.drain().catch(() => {});
    bus = connected;
    connected.onReconnect(say);
    say();
  };
  connect().catch((error: unknown) =>
    log.error({ err: error }, 'no connection to NATS: changes are not announced'),
  );
  return {
    say,
    stop: async () => {
      stopped = true;
      await bus?.drain();
    },
  };
};
