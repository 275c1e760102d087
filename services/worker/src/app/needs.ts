import type { MessageShape } from '@bufbuild/protobuf';
import type { ServiceClient } from '@esl/kit/grpc-client';
import type { JobSchema } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import type { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import type { Artifact, RunResult, Warning } from '../pipeline/run.ts';
import type { RunEnd, RunProgress } from '../pipeline/run-pipeline.ts';

export type WireJob = MessageShape<typeof JobSchema>;

export type JobsClient = Pick<
  ServiceClient<typeof JobsService>,
  'claimRun' | 'renewRuns' | 'releaseRun' | 'getJob'
>;

/** One attempt at a job. */
export type RunRef = { readonly jobId: string; readonly attempt: number };

/** States what became of a run. Each resolves once the bus has stored it, and tries until the signal fires. */
export type RunReports = {
  /** Tried once: a later report says more. */
  readonly stepped: (run: RunRef, sequence: number, progress: RunProgress) => Promise<void>;
  readonly succeeded: (run: RunRef, result: RunResult, signal: AbortSignal) => Promise<void>;
  readonly failed: (
    run: RunRef,
    end: Extract<RunEnd, { kind: 'failed' }>,
    signal: AbortSignal,
  ) => Promise<void>;
  readonly cancelled: (run: RunRef, result: RunResult, signal: AbortSignal) => Promise<void>;
  readonly purged: (jobId: string, signal: AbortSignal) => Promise<void>;
  readonly refreshed: (
    job: { readonly jobId: string; readonly version: number },
    changes: { readonly artifacts: readonly Artifact[]; readonly warnings: readonly Warning[] },
    signal: AbortSignal,
  ) => Promise<void>;
};
