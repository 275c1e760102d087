import type { MessageShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type ServedService, serve } from '@esl/kit/grpc-server';
import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { currentContext, readContext } from '@esl/kit/request-context';
import type { ScopeSchema } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { JobSort, JobsService, RenewalState } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { status } from '@grpc/grpc-js';
import type { cancelJob } from '../app/cancel-job.ts';
import type { CreateRefusal, createJobs } from '../app/create-jobs.ts';
import type { editMetadata } from '../app/edit-metadata.ts';
import type { JobStore, Scope, JobSort as Sort } from '../app/needs.ts';
import type { getJob, listJobs } from '../app/read-jobs.ts';
import type { claimRun, Renewal, releaseRun, renewRuns } from '../app/run-lease.ts';
import type { JobId, NewJob, OwnerId } from '../domain/job.ts';
import { dateOf, jobToWire, priorityFromWire, specFromWire, stateFromWire, stateToWire } from '../wire.ts';

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

const scopeOf = (scope: MessageShape<typeof ScopeSchema> | undefined): Scope | null => {
  if (scope?.reach.case === 'ownerId' && scope.reach.value) return { ownerId: scope.reach.value as OwnerId };
  if (scope?.reach.case === 'everyone' && scope.reach.value) return 'everyone';
  return null;
};

/** Runs a call within its scope; a call without one is refused rather than given everything. */
const within = async <T, Code extends string>(
  wire: MessageShape<typeof ScopeSchema> | undefined,
  run: (scope: Scope) => Promise<Outcome<T, Code>>,
): Promise<Outcome<T, Code | 'scope_required'>> => {
  const scope = scopeOf(wire);
  return scope ? await run(scope) : refuse('scope_required', 'The request says nobody’s jobs.');
};

const answer = <T, R, Code extends string>(
  outcome: Outcome<T, Code>,
  shape: (value: T) => R,
): Outcome<R, Code> => (outcome.ok ? accept(shape(outcome.value)) : outcome);

export const jobsGrpc = (use: UseCases): ServedService =>
  serve(
    JobsService,
    {
      createJobs: async ({ jobs }) => {
        const wanted = jobs.flatMap(({ id, ownerId, spec, priority, parentJobId, origin }): NewJob[] =>
          spec
            ? [
                {
                  id: id as JobId,
                  ownerId: ownerId as OwnerId,
                  spec: specFromWire(spec),
                  priority: priorityFromWire(priority),
                  parentJobId: (parentJobId ?? null) as JobId | null,
                  origin: origin ? readContext(origin) : currentContext(),
                },
              ]
            : [],
        );
        return answer(await use.create(wanted), (stored) => ({ jobs: stored.map(jobToWire) }));
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
      cancelJob: ({ scope, jobId, reason }) =>
        within(scope, async (reach) =>
          answer(await use.cancel(reach, jobId, reason ?? null), (job) => ({ job: jobToWire(job) })),
        ),
      editMetadata: ({ scope, jobId, preset, notionDatabase }) =>
        within(scope, async (reach) =>
          answer(
            await use.edit(reach, jobId, { preset: preset ?? null, notionDatabase: notionDatabase ?? null }),
            (job) => ({ job: jobToWire(job) }),
          ),
        ),
    },
    STATUSES,
  );
