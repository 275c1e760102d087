// Gives every event to the connections that may see it and follow its job.
//   H1. A connection gets the events of its jobs once each and in stream order: it goes live at a sequence, and what
//       came before is sent first, from the ring or the stream (catch-up.ts).
//   H2. Nothing waits without bound: a reader that falls behind leaves the live path and is caught up at its own
//       speed; one that stops reading is closed, and resumes by itself.
//   H3. When a gap cannot be closed, the client is told so with one `resync`, never silently.

import type { Log } from '@esl/kit/log';
import { counter, gauge } from '@esl/kit/metrics';
import type { Job, ResyncEvent } from '@esl-pipeline/contracts';
import type * as pb from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { audience, concerns } from './audience.ts';
import { catchUp, type Past } from './catch-up.ts';
import { type Connection, countDrop } from './connection.ts';
import { type StoredMessage, type StreamEvent, streamEvent } from './event.ts';
import type { Position } from './position.ts';
import { eventRing } from './ring.ts';

const RING = { maxEvents: 5_000, maxBytes: 16 * 1024 * 1024, maxAgeMs: 3_600_000 };

const HEARTBEAT = Buffer.from(':\n\n');
const RESUME_LATER = Buffer.from('retry: 1000\n\n');

const resyncFrame = (reason: string): Buffer => {
  const data: ResyncEvent = { type: 'resync', reason };
  return Buffer.from(`event: resync\ndata: ${JSON.stringify(data)}\n\n`);
};
const STREAM_MADE_ANEW = resyncFrame('The events of before are gone.');
const GAP_TOO_OLD = resyncFrame('What was missed is no longer kept.');

export type Hub = {
  /** The stream has begun a new life, after `lastSeq`. */
  readonly reset: (epoch: string, lastSeq: number) => void;
  readonly receive: (message: StoredMessage) => void;
  /** Follows events from now on, or from `lastSeen` on. */
  readonly open: (connection: Connection, lastSeen: Position | null) => void;
  readonly isFull: () => boolean;
  readonly heartbeat: () => void;
  /** Ends all streams, so that their clients resume elsewhere or later. */
  readonly sayResumeLater: () => void;
};

/** The stream's past, for what the ring no longer has. */
export type StreamPast = {
  readonly read: (
    range: { readonly fromSeq: number; readonly toSeq: number },
    signal: AbortSignal,
  ) => Promise<readonly StoredMessage[]>;
  readonly lastSeq: () => Promise<number>;
};

type Member = { readonly connection: Connection; readonly afterSeq: number };

const openStreams = gauge('esl_sse_connections', 'Open event streams');
const framesSent = counter('esl_sse_frames_total', 'Events written to live streams');
const fellBehind = counter('esl_sse_catch_ups_total', 'Streams that were sent what they had missed');
const resyncs = counter('esl_sse_resyncs_total', 'Streams that were told to read their jobs again', ['why']);
resyncs.inc({ why: 'gap' }, 0); // or `increase` would not see the first

export const createHub = (settings: {
  readonly toDto: (job: pb.Job) => Job;
  readonly past: StreamPast;
  readonly maxConnections: number;
  readonly heartbeatMs: number;
  readonly stallMs: number;
  readonly now: () => number;
  readonly log: Log;
}): Hub => {
  const { toDto, past, now, log } = settings;
  const ring = eventRing(RING);
  const live = audience<Member>();
  const members = new Map<Connection, Member | null>();
  let epoch = '';
  let lastSeq = 0;
  let life = new AbortController();
  let stopping = false;

  const eventOf = (message: StoredMessage) => streamEvent(message, { epoch, toDto });
  const frameOf = (event: StreamEvent): Buffer | null => {
    try {
      return event.frame();
    } catch (error) {
      log.error({ err: error, seq: event.seq, jobId: event.jobId }, 'event left out');
      return null;
    }
  };
  const sources: Past = {
    ring,
    frameOf,
    stallMs: settings.stallMs,
    stored: async (range, signal) => (await past.read(range, signal)).map(eventOf),
  };

  const leaveLive = (connection: Connection) => {
    const member = members.get(connection);
    if (member) live.remove(connection.viewer, member);
  };
  const forget = (connection: Connection) => {
    leaveLive(connection);
    members.delete(connection);
    openStreams.dec();
  };

  /** From here on the connection gets each event as it comes; what the ring holds after `seen` goes out first. */
  const goLive = (connection: Connection, seen: number) => {
    if (connection.closed.aborted) return;
    leaveLive(connection);
    for (const event of ring.after(seen, Number.POSITIVE_INFINITY)) {
      const frame = concerns(event, connection.viewer) ? frameOf(event) : null;
      if (frame) connection.write(frame);
    }
    const member = { connection, afterSeq: Math.max(seen, lastSeq) };
    members.set(connection, member);
    live.add(connection.viewer, member);
  };

  const fallBehind = async (connection: Connection, seen: number): Promise<void> => {
    leaveLive(connection);
    members.set(connection, null);
    const signal = AbortSignal.any([connection.closed, life.signal]);
    fellBehind.inc();
    try {
      const reached = seen > lastSeq ? await ahead(seen) : await catchUp(connection, seen, sources, signal);
      if (signal.aborted) return;
      if (reached === 'gap') {
        connection.write(GAP_TOO_OLD);
        resyncs.inc({ why: 'gap' });
      }
      goLive(connection, reached === 'gap' ? lastSeq : reached);
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, 'event stream could not be caught up');
      countDrop('fault');
      connection.end(RESUME_LATER);
    }
  };
  /** Another replica may have been quicker; otherwise the stream has lost what the client saw. */
  const ahead = async (seen: number) => (seen <= (await past.lastSeq()) ? seen : 'gap');

  const startAnew = (connection: Connection) => {
    connection.write(STREAM_MADE_ANEW);
    resyncs.inc({ why: 'stream_made_anew' });
    goLive(connection, lastSeq);
  };

  const deliver = (event: StreamEvent) => {
    let written = 0;
    for (const { connection, afterSeq } of live.of(event)) {
      if (event.seq <= afterSeq) continue;
      const frame = frameOf(event);
      if (!frame) return;
      connection.write(frame);
      written += 1;
      if (connection.isFull()) void fallBehind(connection, event.seq);
    }
    if (written > 0) framesSent.inc(written);
  };

  return {
    reset: (newEpoch, newLastSeq) => {
      epoch = newEpoch;
      lastSeq = newLastSeq;
      ring.restart(newLastSeq);
      life.abort();
      life = new AbortController();
      for (const connection of members.keys()) startAnew(connection);
    },
    receive: (message) => {
      const event = eventOf(message);
      ring.push(event, now());
      lastSeq = event.seq;
      deliver(event);
    },
    open: (connection, lastSeen) => {
      if (connection.closed.aborted) return;
      members.set(connection, null);
      openStreams.inc();
      connection.closed.addEventListener('abort', () => forget(connection), { once: true });
      if (stopping) connection.end(RESUME_LATER);
      else if (!lastSeen) goLive(connection, lastSeq);
      else if (lastSeen.epoch === epoch) void fallBehind(connection, lastSeen.seq);
      else startAnew(connection);
    },
    isFull: () => members.size >= settings.maxConnections,
    heartbeat: () => {
      const at = now();
      ring.dropOld(at);
      for (const connection of members.keys())
        if (at - connection.lastWriteAt() >= settings.heartbeatMs) connection.write(HEARTBEAT);
    },
    sayResumeLater: () => {
      stopping = true;
      for (const connection of members.keys()) {
        leaveLive(connection);
        connection.end(RESUME_LATER);
      }
    },
  };
};
