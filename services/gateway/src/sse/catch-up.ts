import { setTimeout as delay } from 'node:timers/promises';
import { concerns } from './audience.ts';
import type { Connection } from './connection.ts';
import type { StreamEvent } from './event.ts';
import type { EventRing } from './ring.ts';

/** Events read at once, from memory or from the stream. */
const BATCH = 256;
/** A longer gap is not replayed: reading the jobs again is quicker for everyone. */
export const MAX_REPLAYED = 100_000;
/** A replica of the stream may be behind the one that the tail reads: how often, and after how many ms, it is asked again. */
const LAGGING_TRIES = 20;
const LAGGING_MS = 100;

export type Past = {
  readonly ring: Pick<EventRing, 'floor' | 'after'>;
  /** Stored events from `fromSeq` to `toSeq`, both inclusive, in order; some may be missing. */
  readonly stored: (
    range: { readonly fromSeq: number; readonly toSeq: number },
    signal: AbortSignal,
  ) => Promise<readonly StreamEvent[]>;
  /** The frame of an event, or null when it cannot be built. */
  readonly frameOf: (event: StreamEvent) => Buffer | null;
  readonly stallMs: number;
};

/**
 * Sends a connection what came after `lastSeen`, at the reader's speed: from the stream up to where the ring begins,
 * then from the ring. The ring goes on growing meanwhile, so there is no seam to buffer for.
 * Answers the last sequence dealt with, with nothing after it in the ring, or `gap` when an event is gone.
 */
export const catchUp = async (
  connection: Connection,
  lastSeen: number,
  { ring, stored, frameOf, stallMs }: Past,
  signal: AbortSignal,
): Promise<number | 'gap'> => {
  let seen = lastSeen;
  let tries = 0;
  const send = async (events: readonly StreamEvent[]) => {
    for (const event of events) {
      if (connection.isFull()) await connection.drained(stallMs);
      if (signal.aborted) return;
      const frame = concerns(event, connection.viewer) ? frameOf(event) : null;
      if (frame) connection.write(frame);
      seen = event.seq;
    }
  };
  for (;;) {
    if (connection.isFull()) await connection.drained(stallMs);
    signal.throwIfAborted();
    const floor = ring.floor();
    if (floor - seen > MAX_REPLAYED) return 'gap';
    if (seen >= floor) {
      const events = ring.after(seen, BATCH);
      if (events.length === 0) return seen;
      await send(events);
      continue;
    }
    const events = await stored({ fromSeq: seen + 1, toSeq: Math.min(floor, seen + BATCH) }, signal);
    const next = seen + 1;
    if (events.some(({ seq }, index) => seq !== next + index)) return 'gap';
    if (events.length > 0) {
      tries = 0;
      await send(events);
    } else {
      tries += 1;
      if (tries > LAGGING_TRIES) return 'gap';
      await delay(LAGGING_MS, null, { signal });
    }
  }
};
