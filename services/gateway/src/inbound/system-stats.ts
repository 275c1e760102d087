import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { JOB_STATES, type SystemStats } from '@esl-pipeline/contracts';
import type { GetSystemStatsResponse } from '@esl-pipeline/contracts/esl/jobs/v1/job_admin_service';
import { JOB_STATE_WORD } from '@esl-pipeline/contracts/http/job-words';

/** The figures of the jobs service and of this gateway, as clients see them. */
export const statsDto = (
  stats: GetSystemStatsResponse,
  { totalUsers, isDegraded, now }: { totalUsers: number; isDegraded: boolean; now: number },
): SystemStats => {
  const age = (since: Timestamp | undefined) =>
    since ? Math.max(0, now - timestampDate(since).getTime()) : 0;
  const counts = new Map(stats.states.map(({ state, count }) => [JOB_STATE_WORD[state], Number(count)]));
  return {
    totalUsers,
    systemStatus: isDegraded ? 'degraded' : 'operational',
    timestamp: new Date(now).toISOString(),
    jobsByState: Object.fromEntries(
      JOB_STATES.map((state) => [state, counts.get(state) ?? 0]),
    ) as SystemStats['jobsByState'],
    queue: {
      depth: stats.queues.reduce((sum, { depth }) => sum + Number(depth), 0),
      scheduled: stats.queues.reduce((sum, { scheduled }) => sum + Number(scheduled), 0),
      oldestAgeMs: Math.max(0, ...stats.queues.map(({ oldestAt }) => age(oldestAt))),
    },
    throughput: stats.throughput.map(({ windowSeconds, succeeded, failed, cancelled }) => ({
      windowSeconds,
      succeeded: Number(succeeded),
      failed: Number(failed),
      cancelled: Number(cancelled),
    })),
    failures: stats.failures.map(({ code, count }) => ({ code, count: Number(count) })),
    consumers: stats.consumers.map(({ stream, consumer, pending, inFlight }) => ({
      stream,
      consumer,
      pending: Number(pending),
      inFlight: Number(inFlight),
    })),
    outboxOldestAgeMs: age(stats.outboxOldestAt),
    deadLetters: Number(stats.deadLetters),
  };
};
