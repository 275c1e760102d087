import * as changes from '../domain/changes.ts';
import type { Artifact, Failure, JobId, LessonSummary, Progress, Step, Warning } from '../domain/job.ts';
import type { Clock, JobStore } from './needs.ts';

export type RunReport =
  | {
      readonly kind: 'step';
      readonly attempt: number;
      readonly sequence: number;
      readonly steps: readonly Step[];
      readonly progress: Progress | null;
      readonly lesson: LessonSummary | null;
    }
  | { readonly kind: 'succeeded'; readonly attempt: number; readonly result: changes.RunResult }
  | {
      readonly kind: 'failed';
      readonly attempt: number;
      readonly result: changes.RunResult;
      readonly failure: Failure;
      readonly retryAfterMs: number;
    }
  | { readonly kind: 'cancelled'; readonly attempt: number; readonly result: changes.RunResult }
  | {
      readonly kind: 'refreshed';
      readonly version: number;
      readonly artifacts: readonly Artifact[];
      readonly warnings: readonly Warning[];
    };

/**
 * Applies what a worker reports. Reports may come twice, late or out of order: what does not fit the job's state and
 * attempt changes nothing. Answers `exhausted` when a passing error used up the last attempt.
 */
export const applyRunReport =
  ({ store, clock, random }: { store: JobStore; clock: Clock; random: () => number }) =>
  async (id: JobId, report: RunReport): Promise<'applied' | 'ignored' | 'exhausted'> => {
    const result = await store.change(id, (job) => {
      if (report.kind === 'refreshed') return changes.refreshed(job, report);
      if (report.attempt !== job.attempt) return null;
      switch (report.kind) {
        case 'step':
          return changes.progress(job, report);
        case 'succeeded':
          return changes.succeed(job, report.result, clock());
        case 'failed':
          return changes.fail(job, report.failure, report.result, {
            now: clock(),
            retryAfterMs: report.retryAfterMs,
            random: random(),
          });
        case 'cancelled':
          return changes.confirmCancelled(job, report.result);
      }
    });
    if (!result?.changed) return 'ignored';
    const exhausted = report.kind === 'failed' && report.failure.retryable && result.job.state === 'failed';
    return exhausted ? 'exhausted' : 'applied';
  };
