// Keeps what this process may run.
//   L1. One RenewRuns call keeps all runs; a nudge asks at once, and again when one was under way.
//   L2. A run whose renewals fail is stopped when its lease is over, by this process's own monotonic clock, counted
//       from before the call that gained it: never later than the jobs service's own count.
//   L3. Why a run was stopped is the reason of its signal.

import type { Log } from '@esl/kit/log';
import { withoutContext } from '@esl/kit/request-context';
import { RenewalState } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import type { JobsClient, RunRef } from './needs.ts';

export type StopReason = 'cancelled' | 'lost' | 'stopping';

/** The run must stop, and why. */
export class RunStopped extends Error {
  override name = 'RunStopped';
  readonly why: StopReason;
  constructor(why: StopReason) {
    super(`the run was stopped: ${why}`);
    this.why = why;
  }
}

export type Lease = {
  /** Fires with a RunStopped. */
  readonly signal: AbortSignal;
  /** Throws unless the run may have an effect outside now. */
  readonly check: () => void;
  readonly release: () => void;
};

export type RunLeases = {
  readonly hold: (
    run: RunRef,
    options: {
      readonly leaseMs: number;
      /** When the claim was asked for, by performance.now(). */
      readonly askedAt: number;
      /** Called with each round of renewals. */
      readonly onBeat: () => void;
    },
  ) => Lease;
  /** The job may have been cancelled: asks now, if it runs here. */
  readonly nudge: (jobId: string) => void;
  /** From now on: what is held, and what is yet to be. */
  readonly stopAll: () => void;
};

type Held = RunRef & {
  readonly stop: AbortController;
  readonly leaseMs: number;
  readonly onBeat: () => void;
  until: number;
  timer: NodeJS.Timeout | null;
};

/** After a renewal that failed, in ms. */
const RETRY_MS = 500;

export const runLeases = ({
  jobs,
  workerId,
  renewMs,
  log,
}: {
  readonly jobs: Pick<JobsClient, 'renewRuns'>;
  readonly workerId: string;
  readonly renewMs: number;
  readonly log: Log;
}): RunLeases => {
  const held = new Map<string, Held>();
  let tick: NodeJS.Timeout | null = null;
  let isRenewing = false;
  let isAskedAgain = false;
  let isStopping = false;

  const end = (run: Held, why: StopReason) => {
    if (run.timer) clearTimeout(run.timer);
    run.stop.abort(new RunStopped(why));
  };

  const watch = (run: Held): void => {
    const leftMs = run.until - performance.now();
    if (leftMs <= 0) end(run, 'lost');
    else run.timer = setTimeout(() => watch(run), Math.ceil(leftMs));
  };

  const plan = (afterMs: number) => {
    if (tick) clearTimeout(tick);
    tick = held.size > 0 ? setTimeout(() => void renew(), afterMs) : null;
  };

  const renewOnce = async () => {
    const runs = [...held.values()].filter(({ stop }) => !stop.signal.aborted);
    if (runs.length === 0) return;
    for (const { onBeat } of runs) onBeat();
    const askedAt = performance.now();
    const wanted = { workerId, runs: runs.map(({ jobId, attempt }) => ({ jobId, attempt })) };
    // For all runs: not in the name of the one that set the timer.
    const { renewals } = await withoutContext(() =>
      jobs.renewRuns(wanted, AbortSignal.timeout(Math.max(renewMs, 1_000))),
    );
    for (const [index, run] of runs.entries()) {
      const state = renewals[index]?.state;
      if (state === RenewalState.HELD) run.until = askedAt + run.leaseMs;
      else if (state === RenewalState.CANCELLED) end(run, 'cancelled');
      else if (state === RenewalState.LOST) end(run, 'lost');
    }
  };

  const renew = async (): Promise<void> => {
    if (isRenewing) {
      isAskedAgain = true;
      return;
    }
    isRenewing = true;
    let afterMs = renewMs;
    try {
      do {
        isAskedAgain = false;
        await renewOnce();
      } while (isAskedAgain);
    } catch (error) {
      afterMs = Math.min(renewMs, RETRY_MS);
      log.warn({ err: error, runs: held.size }, 'leases not renewed yet');
    }
    isRenewing = false;
    plan(afterMs);
  };

  return {
    hold: (run, { leaseMs, askedAt, onBeat }) => {
      const mine: Held = {
        ...run,
        stop: new AbortController(),
        leaseMs,
        onBeat,
        until: askedAt + leaseMs,
        timer: null,
      };
      held.set(run.jobId, mine);
      if (isStopping) end(mine, 'stopping');
      else watch(mine);
      if (!tick) plan(renewMs);
      return {
        signal: mine.stop.signal,
        check: () => {
          if (performance.now() >= mine.until) end(mine, 'lost');
          mine.stop.signal.throwIfAborted();
        },
        release: () => {
          if (mine.timer) clearTimeout(mine.timer);
          if (held.get(run.jobId) === mine) held.delete(run.jobId);
          if (held.size === 0 && tick && !isRenewing) plan(renewMs);
        },
      };
    },
    nudge: (jobId) => {
      if (held.has(jobId)) void renew();
    },
    stopAll: () => {
      isStopping = true;
      for (const run of held.values()) end(run, 'stopping');
    },
  };
};
