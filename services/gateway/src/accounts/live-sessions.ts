// Which sessions may go on. Access tokens outlive a logout or a deactivation, so every request asks here.
//   S1. What ends a session acts at once on this replica, within a message's flight on the others, and within `maxAgeMs`
//       plus a sweep where the message was lost.
//   S2. Asking is cheap: an answer is reused for `maxAgeMs`, and those who ask together share one query.
//   S3. Streams opened under a session end with it: when it ends, when its user's role changes, and at the latest when
//       the refresh token it was opened under would have expired.

import { coalesce } from '@esl/kit/coalesce';
import type { Log } from '@esl/kit/log';
import { LRUCache } from 'lru-cache';
import { isOpen } from './account.ts';
import type { SessionStore, Standing } from './needs.ts';

const MAX_REMEMBERED = 20_000;
const MAX_A_QUERY = 500;

type Watched = { readonly standing: Standing; readonly end: () => void };

export type LiveSessions = {
  /** Null when there is no such session. It may have ended: see `isOpen`. */
  readonly standing: (sessionId: string) => Promise<Standing | null>;
  /** Something about this user has changed. */
  readonly changed: (userId: string) => void;
  /** Calls `end` once when what was opened under this standing must end; answers how to stop watching. */
  readonly watch: (standing: Standing, end: () => void) => () => void;
  /** Looks at all that is watched. */
  readonly sweep: () => Promise<void>;
};

export const liveSessions = (settings: {
  readonly standings: SessionStore['standings'];
  readonly maxAgeMs: number;
  readonly now: () => number;
  readonly log: Log;
}): LiveSessions => {
  const { standings, now, log } = settings;
  const remembered = new LRUCache<string, Standing>({
    max: MAX_REMEMBERED,
    ttl: settings.maxAgeMs,
    perf: { now },
  });
  const watched = new Map<string, Set<Watched>>();
  let changes = 0;

  const ask = coalesce(
    async (ids: readonly string[]) => {
      const before = changes;
      const found = new Map((await standings([...new Set(ids)])).map((each) => [each.sessionId, each]));
      // An answer that a change has overtaken is still good for those who asked before, and for no one else.
      if (before === changes) for (const each of found.values()) remembered.set(each.sessionId, each);
      return ids.map((id) => ({ standing: found.get(id) ?? null }));
    },
    { maxItems: MAX_A_QUERY, inFlight: 4 },
  );

  const mustEnd = (opened: Standing, current: Standing | null): boolean =>
    !current?.isActive ||
    !isOpen(current, now()) ||
    current.role !== opened.role ||
    opened.expiresAt.getTime() <= now();

  const look = async (sessionIds: readonly string[]): Promise<void> => {
    for (let at = 0; at < sessionIds.length; at += MAX_A_QUERY) {
      const ids = sessionIds.slice(at, at + MAX_A_QUERY);
      const found = new Map((await standings(ids)).map((each) => [each.sessionId, each]));
      for (const id of ids) remembered.delete(id);
      for (const id of ids)
        for (const one of watched.get(id) ?? []) if (mustEnd(one.standing, found.get(id) ?? null)) one.end();
    }
  };
  const lookQuietly = (sessionIds: readonly string[]) =>
    look(sessionIds).catch((error: unknown) => log.warn({ err: error }, 'sessions could not be looked at'));

  return {
    standing: async (sessionId) => remembered.get(sessionId) ?? (await ask(sessionId)).standing,
    changed: (userId) => {
      changes += 1;
      for (const [id, standing] of remembered.entries())
        if (standing.userId === userId) remembered.delete(id);
      const theirs = [...watched].flatMap(([id, all]) =>
        [...all].some(({ standing }) => standing.userId === userId) ? [id] : [],
      );
      if (theirs.length > 0) void lookQuietly(theirs);
    },
    watch: (standing, end) => {
      const { sessionId } = standing;
      const one: Watched = { standing, end };
      const all = watched.get(sessionId) ?? new Set();
      watched.set(sessionId, all.add(one));
      return () => {
        all.delete(one);
        if (all.size === 0 && watched.get(sessionId) === all) watched.delete(sessionId);
      };
    },
    sweep: () => lookQuietly([...watched.keys()]),
  };
};
