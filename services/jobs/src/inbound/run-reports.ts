import { ack, giveUp, type Handlers, on, type Verdict } from '@esl/kit/delivery';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import type { RunReport } from '../app/apply-run-report.ts';
import { isJobId, type JobId } from '../domain/job.ts';
import {
  artifactFromWire,
  failureFromWire,
  lessonFromWire,
  progressFromWire,
  resultFromWire,
  stepFromWire,
  warningFromWire,
} from '../wire.ts';

type Apply = (id: JobId, report: RunReport) => Promise<'applied' | 'ignored' | 'exhausted'>;

/** What each `run.*` message means to a job. The report that uses up the last attempt is kept in DEAD. */
export const runReportHandlers = (apply: Apply, purged: (id: JobId) => Promise<void>): Handlers => {
  const report = async (jobId: string, what: RunReport): Promise<Verdict> => {
    if (!isJobId(jobId)) return giveUp('invalid job id');
    const result = await apply(jobId, what);
    return result === 'exhausted' ? giveUp('the last attempt failed') : ack;
  };
  return new Map([
    on(CHANNELS.runStepped, ({ jobId, attempt, sequence, steps, progress, lesson }) =>
      report(jobId, {
        kind: 'step',
        attempt,
        sequence,
        steps: steps.map(stepFromWire),
        progress: progress ? progressFromWire(progress) : null,
        lesson: lessonFromWire(lesson),
      }),
    ),
    on(CHANNELS.runSucceeded, ({ jobId, attempt, result }) =>
      report(jobId, { kind: 'succeeded', attempt, result: resultFromWire(result) }),
    ),
    on(CHANNELS.runFailed, ({ jobId, attempt, result, failure, retryAfterMs }) =>
      failure
        ? report(jobId, {
            kind: 'failed',
            attempt,
            result: resultFromWire(result),
            failure: failureFromWire(failure),
            retryAfterMs,
          })
        : Promise.resolve(giveUp('run.failed without a failure')),
    ),
    on(CHANNELS.runCancelled, ({ jobId, attempt, result }) =>
      report(jobId, { kind: 'cancelled', attempt, result: resultFromWire(result) }),
    ),
    on(CHANNELS.runPurged, async ({ jobId }) => {
      if (!isJobId(jobId)) return giveUp('invalid job id');
      await purged(jobId);
      return ack;
    }),
    on(CHANNELS.runRefreshed, ({ jobId, version, artifacts, warnings }) =>
      report(jobId, {
        kind: 'refreshed',
        version,
        artifacts: artifacts.flatMap(artifactFromWire),
        warnings: warnings.map(warningFromWire),
      }),
    ),
  ]);
};
