import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type ServedService, serve } from '@esl/kit/grpc-server';
import { accept, refuse } from '@esl/kit/outcome';
import { said } from '@esl/kit/said';
import { JobAdminService } from '@esl-pipeline/contracts/esl/jobs/v1/job_admin_service';
import { status } from '@grpc/grpc-js';
import type { deleteJob } from '../app/delete-job.ts';
import type { DeadLetter, DeadLetters } from '../app/needs.ts';
import type { SystemStats } from '../outbound/system-stats.ts';
import { priorityToWire, stateToWire, time } from '../wire.ts';
import { actorOf, answer, within } from './scope.ts';

export type AdminUseCases = {
  readonly remove: ReturnType<typeof deleteJob>['request'];
  readonly deadLetters: DeadLetters;
  readonly stats: () => Promise<SystemStats>;
};

const STATUSES = {
  scope_required: status.INVALID_ARGUMENT,
  invalid_page_token: status.INVALID_ARGUMENT,
  job_not_found: status.NOT_FOUND,
  job_cannot_move: status.FAILED_PRECONDITION,
  dead_letter_not_found: status.NOT_FOUND,
} as const;

const noSuchLetter = () => refuse('dead_letter_not_found', 'There is no such dead letter.');

const letterToWire = ({ deadAt, ...letter }: DeadLetter) => ({
  ...letter,
  deadAt: timestampFromDate(deadAt),
});

export const adminGrpc = ({ remove, deadLetters, stats }: AdminUseCases): ServedService =>
  serve(
    JobAdminService,
    {
      deleteJob: ({ scope, jobId, actor }) =>
        within(scope, async (reach) => answer(await remove(reach, jobId, actorOf(reach, actor)), () => ({}))),
      listDeadLetters: async ({ pageSize, pageToken }, { signal }) => {
        const limit = Math.min(Math.max(pageSize || 25, 1), 100);
        const page = await deadLetters.list({ before: pageToken || null, limit: limit + 1 }, signal);
        if (!page) return refuse('invalid_page_token', 'The page token was not made for this list.');
        const shown = page.letters.slice(0, limit);
        return accept({
          deadLetters: shown.map(letterToWire),
          nextPageToken: page.letters.length > limit ? (shown.at(-1)?.id ?? '') : '',
          total: BigInt(page.total),
        });
      },
      getDeadLetter: async ({ id }) => {
        const found = await deadLetters.get(id);
        if (!found) return noSuchLetter();
        const { letter, payload, json } = found;
        return accept({ deadLetter: letterToWire(letter), payload, payloadJson: json });
      },
      redriveDeadLetter: async ({ id }) => {
        const subject = await deadLetters.redrive(id);
        return subject === null ? noSuchLetter() : accept({ subject });
      },
      dropDeadLetter: async ({ id }) => ((await deadLetters.drop(id)) ? accept({}) : noSuchLetter()),
      getSystemStats: async () => {
        const now = await stats();
        return accept({
          states: now.states.map(({ state, count }) => ({ state: stateToWire(state), count: BigInt(count) })),
          queues: now.queues.map(({ priority, depth, oldestAt, scheduled }) => ({
            priority: priorityToWire(priority),
            depth: BigInt(depth),
            scheduled: BigInt(scheduled),
            ...said({ oldestAt: time(oldestAt) }),
          })),
          throughput: now.throughput.map(({ windowSeconds, counts }) => ({
            windowSeconds,
            succeeded: BigInt(counts.succeeded ?? 0),
            failed: BigInt(counts.failed ?? 0),
            cancelled: BigInt(counts.cancelled ?? 0),
          })),
          failures: now.failures.map(({ code, count }) => ({ code, count: BigInt(count) })),
          consumers: now.consumers.map(({ pending, inFlight, ...consumer }) => ({
            ...consumer,
            pending: BigInt(pending),
            inFlight: BigInt(inFlight),
          })),
          deadLetters: BigInt(now.deadLetters),
          ...said({ outboxOldestAt: time(now.outboxOldestAt) }),
        });
      },
    },
    STATUSES,
  );
