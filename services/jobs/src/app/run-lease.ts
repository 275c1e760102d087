// Who may run a job, and for how long.
//   L1. At most one worker holds a job: taking it moves queued to running, guarded by version.
//   L2. The attempt number fences: what an older attempt reports or renews is ignored.
//   L3. A worker that asks twice (its first answer was lost) is given the same run again.
//   L4. With a limit on what one owner may have running at once, a job beyond it waits. Jobs are only dispatched
//       within the limit, so this is for the rare moment when two replicas have dispatched at once.

import { loseLease, release as releaseChange, start } from '../domain/changes.ts';
import type { Job, JobId, JobRecord, JobState } from '../domain/job.ts';
import { isFinal } from '../domain/moves.ts';
import type { Clock, JobStore } from './needs.ts';

export type Claim =
  | { readonly kind: 'claimed'; readonly job: Job; readonly leaseExpiresAt: Date }
  | { readonly kind: 'busy'; readonly retryAfterMs: number }
  | { readonly kind: 'gone'; readonly state: JobState | null };

const isExpired = (job: JobRecord, now: Date) =>
  job.state === 'running' && (job.lease === null || job.lease.expiresAt <= now);

/** It was scheduled anew after its message had left: it will get another one when its time comes. */
const isNotDue = (job: JobRecord, now: Date) =>
  job.state === 'queued' && job.runAt !== null && job.runAt > now;

const claimOf = (job: JobRecord, workerId: string, now: Date): Claim => {
  if (job.lease?.workerId === workerId && job.state === 'running') {
    return { kind: 'claimed', job, leaseExpiresAt: job.lease.expiresAt };
  }
  if (isFinal(job.state) || isNotDue(job, now)) return { kind: 'gone', state: job.state };
  const until = job.lease?.expiresAt ?? job.retryAt ?? now;
  return { kind: 'busy', retryAfterMs: Math.max(until.getTime() - now.getTime(), 100) };
};

/** When a job is asked for again that its owner's limit holds back, in ms. */
const LIMITED_MS = 500;

export const claimRun =
  ({
    store,
    clock,
    leaseMs,
    ownerLimit,
  }: {
    store: JobStore;
    clock: Clock;
    leaseMs: number;
    /** Jobs that one owner may have running; 0: any number. */
    ownerLimit: number;
  }) =>
  async (id: JobId, workerId: string): Promise<Claim> => {
    const now = clock();
    await store.change(id, (job) =>
      isExpired(job, now) && job.lease?.workerId !== workerId ? loseLease(job, now) : null,
    );
    if (ownerLimit > 0) {
      const job = await store.find(id);
      if (job?.state === 'queued' && (await store.running(job.ownerId)) >= ownerLimit)
        return { kind: 'busy', retryAfterMs: LIMITED_MS };
    }
    const result = await store.change(id, (job) =>
      job.state === 'queued' && !isNotDue(job, now) && (job.retryAt === null || job.retryAt <= now)
        ? start(job, workerId, leaseMs, now)
        : null,
    );
    return result ? claimOf(result.job, workerId, now) : { kind: 'gone', state: null };
  };

export type Renewal = { readonly state: 'held' | 'cancelled' | 'lost'; readonly expiresAt: Date | null };

export const renewRuns =
  ({ store, clock, leaseMs }: { store: JobStore; clock: Clock; leaseMs: number }) =>
  async (workerId: string, runs: readonly { id: JobId; attempt: number }[]): Promise<readonly Renewal[]> => {
    const expiresAt = new Date(clock().getTime() + leaseMs);
    const records = await store.renew(workerId, runs, expiresAt);
    return runs.map(({ attempt }, index) => {
      const job = records[index];
      if (job?.state === 'running' && job.attempt === attempt && job.lease?.workerId === workerId) {
        return { state: 'held', expiresAt };
      }
      return { state: job?.state === 'cancelled' ? 'cancelled' : 'lost', expiresAt: null };
    });
  };

/** A worker that shuts down hands its run back; a run it no longer holds is left alone. */
export const releaseRun =
  ({ store, clock }: { store: JobStore; clock: Clock }) =>
  async (id: JobId, workerId: string, attempt: number): Promise<void> => {
    await store.change(id, (job) =>
      job.attempt === attempt && job.lease?.workerId === workerId ? releaseChange(job, clock()) : null,
    );
  };
