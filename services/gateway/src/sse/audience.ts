import type { Viewer } from './connection.ts';
import type { StreamEvent } from './event.ts';

/** Whether an event is for this viewer: of a job that it follows, and that it may see. */
export const concerns = (event: StreamEvent, { ownerId, everyone, jobIds }: Viewer): boolean =>
  (jobIds === 'all' || jobIds.has(event.jobId)) && (everyone || event.ownerId() === ownerId);

/** Who gets an event, found by owner and by job, never by asking everyone. */
export type Audience<T> = {
  readonly add: (viewer: Viewer, member: T) => void;
  readonly remove: (viewer: Viewer, member: T) => void;
  readonly of: (event: StreamEvent) => Iterable<T>;
};

type Index<T> = Map<string, Map<T, Viewer>>;

const ANYONE = '*';

export const audience = <T>(): Audience<T> => {
  /** Those who follow all jobs, by owner; admins under `*`, which is no owner's id. */
  const byOwner: Index<T> = new Map();
  const byJob: Index<T> = new Map();

  const places = ({ ownerId, everyone, jobIds }: Viewer): readonly [Index<T>, Iterable<string>] =>
    jobIds === 'all' ? [byOwner, [everyone ? ANYONE : ownerId]] : [byJob, jobIds];

  return {
    add: (viewer, member) => {
      const [index, keys] = places(viewer);
      for (const key of keys) {
        const members = index.get(key) ?? new Map<T, Viewer>();
        index.set(key, members.set(member, viewer));
      }
    },
    remove: (viewer, member) => {
      const [index, keys] = places(viewer);
      for (const key of keys) {
        const members = index.get(key);
        members?.delete(member);
        if (members?.size === 0) index.delete(key);
      }
    },
    *of(event) {
      yield* byOwner.get(ANYONE)?.keys() ?? [];
      if (byOwner.size > 0) yield* byOwner.get(event.ownerId())?.keys() ?? [];
      for (const [member, viewer] of byJob.get(event.jobId) ?? []) if (concerns(event, viewer)) yield member;
    },
  };
};
