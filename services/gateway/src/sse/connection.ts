import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { counter } from '@esl/kit/metrics';

/** What may wait for a reader, in bytes, before it is taken for slow. Frames are shared, so this is mostly not memory. */
export const MAX_BACKLOG_BYTES = 1024 * 1024;

const drops = counter('esl_sse_drops_total', 'Streams closed by us, to be resumed', ['why']);
export const countDrop = (why: 'stalled' | 'fault'): void => drops.inc({ why });

/** Who listens, and to which jobs. */
export type Viewer = {
  readonly ownerId: string;
  /** Sees every owner's jobs. */
  readonly everyone: boolean;
  readonly jobIds: ReadonlySet<string> | 'all';
};

/** One open event stream. Writing to one that has closed does nothing. */
export type Connection = {
  readonly viewer: Viewer;
  /** Fires when the stream has closed, from either side. */
  readonly closed: AbortSignal;
  readonly lastWriteAt: () => number;
  readonly write: (frame: Buffer) => void;
  readonly isFull: () => boolean;
  /** Resolves when the reader has caught up; closes the stream when it does not get on within `stallMs`. */
  readonly drained: (stallMs: number) => Promise<void>;
  readonly end: (lastFrame: Buffer) => void;
};

export const openConnection = (response: ServerResponse, viewer: Viewer, now: () => number): Connection => {
  const gone = new AbortController();
  let lastWriteAt = now();
  response.once('close', () => gone.abort());
  if (response.destroyed) gone.abort();

  const drained = async (stallMs: number) => {
    if (!response.writableNeedDrain) return;
    const patience = AbortSignal.any([gone.signal, AbortSignal.timeout(stallMs)]);
    try {
      await once(response, 'drain', { signal: patience });
    } catch {
      if (!gone.signal.aborted) countDrop('stalled');
      response.destroy();
    }
  };

  return {
    viewer,
    closed: gone.signal,
    lastWriteAt: () => lastWriteAt,
    write: (frame) => {
      if (gone.signal.aborted || response.writableEnded) return;
      lastWriteAt = now();
      response.write(frame);
    },
    isFull: () => response.writableLength > MAX_BACKLOG_BYTES,
    drained,
    end: (lastFrame) => {
      if (!gone.signal.aborted && !response.writableEnded) response.end(lastFrame);
    },
  };
};
