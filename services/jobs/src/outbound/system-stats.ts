import type { Bus } from '@esl/kit/bus';
import { CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import type { JobPriority, JobState } from '../domain/job.ts';
import type { JobsCollection } from './job-documents.ts';

const MAX_TIME_MS = 5_000;
const MAX_CODES = 20;
export const WINDOWS_SECONDS = [3_600, 86_400] as const;

export type SystemStats = {
  readonly states: readonly { readonly state: JobState; readonly count: number }[];
  readonly queues: readonly {
    readonly priority: JobPriority;
    readonly depth: number;
    readonly oldestAt: Date | null;
    readonly scheduled: number;
  }[];
  readonly throughput: readonly {
    readonly windowSeconds: number;
    readonly counts: Readonly<Partial<Record<JobState, number>>>;
  }[];
  readonly failures: readonly { readonly code: string; readonly count: number }[];
  readonly consumers: readonly {
    readonly stream: string;
    readonly consumer: string;
    readonly pending: number;
    readonly inFlight: number;
  }[];
  readonly outboxOldestAt: Date | null;
  readonly deadLetters: number;
};

/** How the whole system is doing. Each question is answered from an index. */
export const systemStats =
  (jobs: JobsCollection, bus: Bus, now: () => Date) => async (): Promise<SystemStats> => {
    const at = now();
    const since = (seconds: number) => new Date(at.getTime() - seconds * 1_000);
    const options = { maxTimeMS: MAX_TIME_MS };

    const states = jobs
      .aggregate<{ state: JobState; count: number }>(
        [
          { $group: { _id: '$state', count: { $sum: 1 } } },
          { $project: { _id: 0, state: '$_id', count: 1 } },
        ],
        { ...options, hint: 'state' },
      )
      .toArray();
    // A dispatched job's date is that of a check, and it was due before; its place in the queue is its creation.
    const isScheduled = { $and: [{ $eq: ['$isDispatched', false] }, { $gt: ['$dispatchAt', at] }] };
    const dueSince = { $ifNull: ['$runAt', '$createdAt'] };
    const queues = jobs
      .aggregate<{ _id: JobPriority; depth: number; oldestAt: Date | null; scheduled: number }>(
        [
          { $match: { state: 'queued' } },
          {
            $group: {
              _id: '$priority',
              depth: { $sum: { $cond: [isScheduled, 0, 1] } },
              scheduled: { $sum: { $cond: [isScheduled, 1, 0] } },
              oldestAt: { $min: { $cond: [isScheduled, null, dueSince] } },
            },
          },
        ],
        { ...options, hint: 'due' },
      )
      .toArray();
    const throughput = WINDOWS_SECONDS.map(async (windowSeconds) => {
      const rows = await jobs
        .aggregate<{ _id: JobState; count: number }>(
          [
            { $match: { finishedAt: { $gt: since(windowSeconds) } } },
            { $group: { _id: '$state', count: { $sum: 1 } } },
          ],
          { ...options, hint: 'finished' },
        )
        .toArray();
      return { windowSeconds, counts: Object.fromEntries(rows.map(({ _id, count }) => [_id, count])) };
    });
    const failures = jobs
      .aggregate<{ code: string; count: number }>(
        [
          { $match: { finishedAt: { $gt: since(86_400) }, state: 'failed' } },
          { $group: { _id: '$failure.code', count: { $sum: 1 } } },
          { $sort: { count: -1, _id: 1 } },
          { $limit: MAX_CODES },
          { $project: { _id: 0, code: '$_id', count: 1 } },
        ],
        { ...options, hint: 'finished' },
      )
      .toArray();
    const consumers = Promise.all(
      Object.values(CONSUMERS).map(async ({ stream, durable }) => {
        const info = await bus.jsm.consumers.info(stream, durable);
        return { stream, consumer: durable, pending: info.num_pending, inFlight: info.num_ack_pending };
      }),
    );
    const unsent = jobs
      .find({ 'outbox.0': { $exists: true } }, { ...options, projection: { updatedAt: 1 }, hint: 'outbox' })
      .sort({ updatedAt: 1 })
      .limit(1)
      .next();
    const dead = bus.jsm.streams.info(STREAMS.DEAD.name);
    return {
      states: await states,
      queues: (await queues).map(({ _id, ...queue }) => ({ priority: _id, ...queue })),
      throughput: await Promise.all(throughput),
      failures: await failures,
      consumers: await consumers,
      outboxOldestAt: (await unsent)?.updatedAt ?? null,
      deadLetters: (await dead).state.messages,
    };
  };
