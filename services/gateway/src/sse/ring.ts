import type { StreamEvent } from './event.ts';

/** What an event costs: its payload, and its frame, which is at most about thrice as long. */
const costOf = ({ bytes }: StreamEvent) => bytes * 4;

type Kept = { readonly event: StreamEvent; readonly at: number };

/** The most recent events, without a gap: whoever has seen `floor()` can be given the rest from here. */
export type EventRing = {
  readonly floor: () => number;
  readonly push: (event: StreamEvent, now: number) => void;
  /** At most `limit` events after `seq`, which must not be below the floor. */
  readonly after: (seq: number, limit: number) => readonly StreamEvent[];
  readonly dropOld: (now: number) => void;
  /** Forgets everything; what comes next follows `floor`. */
  readonly restart: (floor: number) => void;
};

export const eventRing = (limits: {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}): EventRing => {
  let kept: Kept[] = [];
  let head = 0;
  let cost = 0;
  let floor = 0;

  const dropFirst = (first: Kept) => {
    floor = first.event.seq;
    cost -= costOf(first.event);
    head += 1;
    if (head > 1_024 && head * 2 > kept.length) {
      kept = kept.slice(head);
      head = 0;
    }
  };
  const dropWhile = (mustGo: (first: Kept) => boolean) => {
    for (let first = kept[head]; first && mustGo(first); first = kept[head]) dropFirst(first);
    if (head === kept.length) {
      kept = [];
      head = 0;
    }
  };

  /** Index of the first event after `seq`. */
  const indexAfter = (seq: number): number => {
    let low = head;
    let high = kept.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((kept[middle]?.event.seq ?? 0) > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  };

  return {
    floor: () => floor,
    push: (event, now) => {
      kept.push({ event, at: now });
      cost += costOf(event);
      dropWhile(() => kept.length - head > limits.maxEvents || cost > limits.maxBytes);
    },
    after: (seq, limit) => {
      const start = indexAfter(seq);
      return kept.slice(start, start + limit).map(({ event }) => event);
    },
    dropOld: (now) => dropWhile(({ at }) => now - at > limits.maxAgeMs),
    restart: (now) => {
      kept = [];
      head = 0;
      cost = 0;
      floor = now;
    },
  };
};
