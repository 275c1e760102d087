// From a work message to a reported end.
//   R1. The message is done only when the end of the run is stored on the bus; until then it comes again.
//   R2. Nothing is reported of a run that is no longer ours.
//   R3. A run given back is released first, then its message, so that the next worker finds it queued.

import { timestampMs } from '@bufbuild/protobuf/wkt';
import { ack, type Delivery, retry, type Verdict } from '@esl/kit/delivery';
import type { Log } from '@esl/kit/log';
import { counter, gauge, longSeconds } from '@esl/kit/metrics';
import { inSpan, type SpanSpec } from '@esl/kit/tracing';
import type { Claimed } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import type { SharedPorts } from '../pipeline/run.ts';
import { endWithoutSteps, type RunEnd, type RunProgress, runPipeline } from '../pipeline/run-pipeline.ts';
import { runJobFromWire } from '../wire.ts';
import type { JobsClient, RunRef, RunReports, WireJob } from './needs.ts';
import { type Lease, type RunLeases, RunStopped, type StopReason } from './run-leases.ts';
import { throttledReport } from './throttled-report.ts';

/** When a message comes again that cannot be worked on now, in ms. */
const ASK_AGAIN_MS = 1_000;
const RUNNING_HERE_MS = 5_000;
/** How long a stopped run's last word may take, in ms. */
const LAST_WORD_MS = 2_000;
const RELEASE_MS = 800;

const ended = counter('esl_runs_total', 'Runs by how they ended', ['end']);
const lasted = longSeconds('esl_run_seconds', 'Time a run took', ['end']);
const underWay = gauge('esl_runs_under_way', 'Runs that this process performs now');

type Needs = {
  readonly jobs: Pick<JobsClient, 'claimRun' | 'releaseRun'>;
  readonly leases: RunLeases;
  readonly reports: RunReports;
  readonly ports: SharedPorts;
  readonly workerId: string;
  readonly log: Log;
};

/** The lease's length by the jobs service's clock alone: it starts with the change that claimed the job. */
const leaseMsOf = ({ job, leaseExpiresAt }: Claimed): number => {
  const from = job?.updatedAt && timestampMs(job.updatedAt);
  const to = leaseExpiresAt && timestampMs(leaseExpiresAt);
  return from && to && to > from ? to - from : 1_000;
};

const whyStopped = ({ signal }: Lease): StopReason =>
  signal.reason instanceof RunStopped ? signal.reason.why : 'lost';

const spanOf = ({ jobId, attempt }: RunRef): SpanSpec => ({
  name: 'run lesson',
  kind: 'internal',
  attributes: { 'esl.job.id': jobId, 'esl.job.attempt': attempt },
});

export const performRun = ({ jobs, leases, reports, ports, workerId, log }: Needs) => {
  const inHand = new Set<string>();

  const settle = async (run: RunRef, end: RunEnd, lease: Lease): Promise<Verdict> => {
    const why = end.kind === 'stopped' ? whyStopped(lease) : null;
    try {
      if (end.kind === 'succeeded') await reports.succeeded(run, end.result, lease.signal);
      if (end.kind === 'failed') await reports.failed(run, end, lease.signal);
      if (why === 'cancelled') await reports.cancelled(run, end.result, AbortSignal.timeout(LAST_WORD_MS));
      if (why !== 'stopping') return ack;
      await jobs.releaseRun({ ...run, workerId }, AbortSignal.timeout(RELEASE_MS));
      return retry(0);
    } catch (error) {
      // The jobs service notices by the lease; what was done is in the checkpoint.
      log.warn({ err: error, ...run, end: why ?? end.kind }, 'the end of a run could not be reported');
      return retry(ASK_AGAIN_MS);
    }
  };

  const perform = async (
    job: WireJob,
    lease: Lease,
    report: (progress: RunProgress) => void,
  ): Promise<RunEnd> => {
    try {
      const publisher = await ports.publisherFor(job.ownerId, lease.signal);
      const its = { ...ports, publisher, checkLease: lease.check };
      return await runPipeline(runJobFromWire(job), its, lease.signal, report);
    } catch (error) {
      return endWithoutSteps(error, lease.signal);
    }
  };

  const work = async (claimed: Claimed, askedAt: number, delivery: Delivery): Promise<Verdict> => {
    const { job } = claimed;
    if (!job) return ack;
    const run: RunRef = { jobId: job.id, attempt: job.attempt };
    const startedAt = performance.now();
    const lease = leases.hold(run, { leaseMs: leaseMsOf(claimed), askedAt, onBeat: delivery.working });
    // The claim may have answered with a lease that an earlier delivery began: make it a fresh one.
    if (delivery.deliveries > 1) leases.nudge(run.jobId);
    underWay.inc();
    const steps = throttledReport((sequence, progress) => reports.stepped(run, sequence, progress), log);
    try {
      const end = await inSpan(spanOf(run), async (span) => {
        const its = await perform(job, lease, steps.changed);
        span.set({ 'esl.run.end': its.kind === 'stopped' ? whyStopped(lease) : its.kind });
        return its;
      });
      steps.close();
      const outcome = end.kind === 'stopped' ? whyStopped(lease) : end.kind;
      ended.inc({ end: outcome });
      const failure = end.kind === 'failed' && { err: end.error, code: end.error.code, step: end.step };
      const durationMs = Math.round(performance.now() - startedAt);
      lasted.observe({ end: outcome }, durationMs / 1_000);
      const level = failure && failure.code === 'internal_error' ? 'error' : 'info';
      log[level]({ ...run, end: outcome, durationMs, ...failure }, 'run ended');
      return await settle(run, end, lease);
    } finally {
      underWay.dec();
      steps.close();
      lease.release();
    }
  };

  return async (jobId: string, delivery: Delivery): Promise<Verdict> => {
    if (inHand.has(jobId)) return retry(RUNNING_HERE_MS);
    inHand.add(jobId);
    try {
      const askedAt = performance.now();
      const claim = await jobs.claimRun({ jobId, workerId }).catch((error: unknown) => {
        log.warn({ err: error, jobId }, 'a run could not be claimed yet');
        return null;
      });
      switch (claim?.outcome.case) {
        case 'claimed':
          return await work(claim.outcome.value, askedAt, delivery);
        case 'busy':
          return retry(claim.outcome.value.retryAfterMs);
        case 'gone':
          return ack;
        default:
          return retry(ASK_AGAIN_MS);
      }
    } finally {
      inHand.delete(jobId);
    }
  };
};
