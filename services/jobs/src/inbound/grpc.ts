import type { MessageShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type ServedService, serve } from '@esl/kit/grpc-server';
import { accept } from '@esl/kit/outcome';
import { currentContext, readContext } from '@esl/kit/request-context';
import {
  JobSort,
  JobsService,
  type NewJobSchema,
  RenewalState,
} from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { status } from '@grpc/grpc-js';
import type { cancelJob } from '../app/cancel-job.ts';
import type { CreateRefusal, createJobs } from '../app/create-jobs.ts';
import type { editMetadata } from '../app/edit-metadata.ts';
import type { JobStore, JobSort as Sort } from '../app/needs.ts';
import type { getJob, getTimeline, listJobs } from '../app/read-jobs.ts';
import type { rescheduleJob } from '../app/reschedule-job.ts';
import type { retryJob } from '../app/retry-job.ts';
import type { claimRun, Renewal, releaseRun, renewRuns } from '../app/run-lease.ts';
import type { BatchId, JobId, NewJob, OwnerId } from '../domain/job.ts';
import { searchWords } from '../domain/search-words.ts';
import {
  dateOf,
  jobToWire,
  priorityFromWire,
  saidPriorityFromWire,
  specFromWire,
  stateFromWire,
  stateToWire,
  timelineToWire,
} from '../wire.ts';
import { actorOf, answer, within } from './scope.ts';

export type UseCases = {
  readonly create: ReturnType<typeof createJobs>;
  readonly get: ReturnType<typeof getJob>;
  readonly list: ReturnType<typeof listJobs>;
  readonly stats: JobStore['stats'];
  readonly claim: ReturnType<typeof claimRun>;
  readonly renew: ReturnType<typeof renewRuns>;
  readonly release: ReturnType<typeof releaseRun>;
  readonly cancel: ReturnType<typeof cancelJob>;
  readonly edit: ReturnType<typeof editMetadata>;
  readonly reschedule: ReturnType<typeof rescheduleJob>;
  readonly retry: ReturnType<typeof retryJob>;
  readonly timeline: ReturnType<typeof getTimeline>;
};

type RefusalCode =
  | CreateRefusal
  | 'scope_required'
  | 'job_not_found'
  | 'job_cannot_move'
  | 'invalid_page_token';

const STATUSES = {
  scope_required: status.INVALID_ARGUMENT,
  invalid_job_id: status.INVALID_ARGUMENT,
  too_many_jobs: status.INVALID_ARGUMENT,
  invalid_page_token: status.INVALID_ARGUMENT,
  job_not_found: status.NOT_FOUND,
  job_cannot_move: status.FAILED_PRECONDITION,
} as const satisfies Record<RefusalCode, status>;

const SORTS: Readonly<Record<number, Sort>> = {
  [JobSort.CREATED_ASC]: 'createdAt',
  [JobSort.UPDATED_DESC]: '-updatedAt',
  [JobSort.UPDATED_ASC]: 'updatedAt',
};

const RENEWAL_STATE = {
  held: RenewalState.HELD,
  cancelled: RenewalState.CANCELLED,
  lost: RenewalState.LOST,
} as const satisfies Record<Renewal['state'], RenewalState>;

/** A job without a spec is left out: no caller of ours sends one. */
export const newJobFromWire = (job: MessageShape<typeof NewJobSchema>): NewJob[] =>
  job.spec
    ? [
        {
          id: job.id as JobId,
          ownerId: job.ownerId as OwnerId,
          spec: specFromWire(job.spec),
          priority: priorityFromWire(job.priority),
          parentJobId: (job.parentJobId ?? null) as JobId | null,
          batchId: (job.batchId ?? null) as BatchId | null,
          runAt: dateOf(job.runAt),
          origin: job.origin ? readContext(job.origin) : currentContext(),
        },
      ]
    : [];

export const jobsGrpc = (use: UseCases): ServedService =>
  serve(
    JobsService,
    {
      createJobs: async ({ jobs }) => {
        return answer(await use.create(jobs.flatMap(newJobFromWire)), (stored) => ({
          jobs: stored.map(jobToWire),
        }));
      },
      getJob: ({ scope, jobId }) =>
        within(scope, async (reach) =>
          answer(await use.get(reach, jobId), (job) => ({ job: jobToWire(job) })),
        ),
      listJobs: (request) =>
        within(request.scope, async (reach) => {
          const filter = {
            states: request.states.flatMap((state) => stateFromWire(state) ?? []),
            preset: request.preset ?? null,
            mode: request.mode ?? null,
            notionDatabase: request.notionDatabase ?? null,
            parentJobId: request.parentJobId ?? null,
            createdFrom: dateOf(request.createdFrom),
            createdTo: dateOf(request.createdTo),
            finishedFrom: dateOf(request.finishedFrom),
            finishedTo: dateOf(request.finishedTo),
            hasError: request.hasError ?? null,
            batchId: request.batchId ?? null,
            priority: saidPriorityFromWire(request.priority),
            words: request.query === undefined ? null : searchWords([request.query]),
          };
          const sort = SORTS[request.sort] ?? '-createdAt';
          const page = await use.list(reach, filter, {
            sort,
            token: request.pageToken,
            size: request.pageSize,
          });
          return answer(page, ({ jobs, nextPageToken, total }) => ({
            jobs: jobs.map(jobToWire),
            nextPageToken,
            total: BigInt(total),
          }));
        }),
      getStats: async () => {
        const { states, oldestQueuedAt } = await use.stats();
        return accept({
          states: [...states].map(([state, count]) => ({ state: stateToWire(state), count: BigInt(count) })),
          ...(oldestQueuedAt && { oldestQueuedAt: timestampFromDate(oldestQueuedAt) }),
        });
      },
      claimRun: async ({ jobId, workerId }) => {
        const claim = await use.claim(jobId as JobId, workerId);
        switch (claim.kind) {
          case 'claimed':
            return accept({
              outcome: {
                case: 'claimed' as const,
                value: { job: jobToWire(claim.job), leaseExpiresAt: timestampFromDate(claim.leaseExpiresAt) },
              },
            });
          case 'busy':
            return accept({
              outcome: { case: 'busy' as const, value: { retryAfterMs: claim.retryAfterMs } },
            });
          case 'gone':
            return accept({
              outcome: {
                case: 'gone' as const,
                value: claim.state ? { state: stateToWire(claim.state) } : {},
              },
            });
        }
      },
      renewRuns: async ({ workerId, runs }) => {
        const wanted = runs.slice(0, 1_000).map(({ jobId, attempt }) => ({ id: jobId as JobId, attempt }));
        const renewals = await use.renew(workerId, wanted);
        return accept({
          renewals: renewals.map(({ state, expiresAt }, index) => ({
            jobId: wanted[index]?.id ?? '',
            state: RENEWAL_STATE[state],
            ...(expiresAt && { leaseExpiresAt: timestampFromDate(expiresAt) }),
          })),
        });
      },
      releaseRun: async ({ jobId, workerId, attempt }) => {
        await use.release(jobId as JobId, workerId, attempt);
        return accept({});
      },
      cancelJob: ({ scope, jobId, reason, actor }) =>
        within(scope, async (reach) => {
          const wish = { reason: reason ?? null, actor: actorOf(reach, actor) };
          return answer(await use.cancel(reach, jobId, wish), (job) => ({ job: jobToWire(job) }));
        }),
      editMetadata: ({ scope, jobId, preset, notionDatabase, actor }) =>
        within(scope, async (reach) => {
          const edit = { preset: preset ?? null, notionDatabase: notionDatabase ?? null };
          return answer(await use.edit(reach, jobId, { ...edit, actor: actorOf(reach, actor) }), (job) => ({
            job: jobToWire(job),
          }));
        }),
      rescheduleJob: ({ scope, jobId, runAt, priority, actor }) =>
        within(scope, async (reach) => {
          const wish = { runAt: dateOf(runAt), priority: saidPriorityFromWire(priority) };
          return answer(
            await use.reschedule(reach, jobId, { ...wish, actor: actorOf(reach, actor) }),
            (job) => ({ job: jobToWire(job) }),
          );
        }),
      retryJob: ({ scope, jobId, newJobId, actor }) =>
        within(scope, async (reach) =>
          answer(await use.retry(reach, jobId, { newJobId, actor: actorOf(reach, actor) }), (job) => ({
            job: jobToWire(job),
          })),
        ),
      getTimeline: ({ scope, jobId }) =>
        within(scope, async (reach) =>
          answer(await use.timeline(reach, jobId), (entries) => ({ entries: timelineToWire(entries) })),
        ),
    },
    STATUSES,
  );
