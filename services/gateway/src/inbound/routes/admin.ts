import type { GrpcClient } from '@esl/kit/grpc-client';
import {
  allJobsSchema,
  auditListSchema,
  type Job,
  jobDeletedSchema,
  listAllJobsQuerySchema,
  listAuditQuerySchema,
  listUsersQuerySchema,
  systemStatsSchema,
  userChangedSchema,
  userChangeSchema,
  userListSchema,
} from '@esl-pipeline/contracts';
import type * as pb from '@esl-pipeline/contracts/esl/jobs/v1/job';
import type { JobAdminService } from '@esl-pipeline/contracts/esl/jobs/v1/job_admin_service';
import type { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import type { Audit } from '../../accounts/audit.ts';
import type { UserStore } from '../../accounts/needs.ts';
import type { changeUser } from '../../app/change-user.ts';
import type { AuditLog } from '../../outbound/mongo-audit-log.ts';
import { userDto } from '../account-body.ts';
import { clientOf } from '../client.ts';
import { listRequest } from '../job-query.ts';
import { refused } from '../problem.ts';
import { objectBody, parseFields } from '../request-body.ts';
import { parseQuery } from '../request-query.ts';
import type { Handler, Route } from '../route.ts';
import { statsDto } from '../system-stats.ts';

const DEFAULT_LIMIT = 25;
const EVERYONE = { reach: { case: 'everyone', value: true } } as const;

/** Where a list that is read by id goes on; null after a page that was not full. */
const nextCursor = (page: readonly { readonly id: string }[], limit: number): string | null =>
  page.length === limit ? (page.at(-1)?.id ?? null) : null;

/** What admins see and do: users, everybody's jobs, the state of the system, what was written down about security. */
export const adminRoutes = ({
  users,
  change,
  jobs,
  jobAdmin,
  toDto,
  auditLog,
  audit,
  failing,
  now,
}: {
  readonly users: Pick<UserStore, 'list' | 'count'>;
  readonly change: ReturnType<typeof changeUser>;
  readonly jobs: GrpcClient<typeof JobsService>['call'];
  readonly jobAdmin: GrpcClient<typeof JobAdminService>['call'];
  readonly toDto: (job: pb.Job) => Job;
  readonly auditLog: Pick<AuditLog, 'list'>;
  readonly audit: Audit;
  /** Which dependencies of this gateway do not answer. */
  readonly failing: () => Promise<readonly string[]>;
  readonly now: () => number;
}): Route[] => {
  const getUsers: Handler = async ({ request }) => {
    const { limit = DEFAULT_LIMIT, ...query } = parseQuery(listUsersQuerySchema, request.query);
    const { users: page, total } = await users.list({
      search: query.q ?? null,
      role: query.role ?? null,
      isActive: query.isActive ?? null,
      after: query.cursor ?? null,
      limit,
    });
    return { status: 200, body: { users: page.map(userDto), total, nextCursor: nextCursor(page, limit) } };
  };

  const patchUser: Handler = async ({ principal, request }) => {
    const codes = { role: 'invalid_role', isActive: 'invalid_body' } as const;
    const wish = parseFields(userChangeSchema, codes, objectBody(request.body, 'invalid_body', 'The body'));
    const outcome = await change(principal.ownerId, String(request.params.userId), wish, clientOf(request));
    if (!outcome.ok) throw refused(outcome.refusal);
    return { status: 200, body: { message: 'Saved.', user: userDto(outcome.value) } };
  };

  const getJobs: Handler = async ({ request, signal }) => {
    const { ownerId, ...query } = parseQuery(listAllJobsQuerySchema, request.query);
    const scope =
      ownerId === undefined ? EVERYONE : ({ reach: { case: 'ownerId', value: ownerId } } as const);
    const page = await jobs.listJobs(listRequest(query, scope, DEFAULT_LIMIT), signal);
    return {
      status: 200,
      body: {
        jobs: page.jobs.map((job) => ({ ...toDto(job), ownerId: job.ownerId })),
        total: Number(page.total),
        nextCursor: page.nextPageToken || null,
      },
    };
  };

  const deleteJob: Handler = async ({ principal, request, signal }) => {
    const jobId = String(request.params.jobId);
    await jobAdmin.deleteJob({ scope: EVERYONE, jobId, actor: principal.ownerId }, signal);
    const { address } = clientOf(request);
    audit({ kind: 'job_deleted', actorId: principal.ownerId, userId: null, address, details: { jobId } });
    return { status: 200, body: { message: 'Deleted.', jobId } };
  };

  const getStats: Handler = async ({ signal }) => {
    const [totalUsers, stats, failures] = await Promise.all([
      users.count(),
      jobAdmin.getSystemStats({}, signal),
      failing(),
    ]);
    return {
      status: 200,
      body: statsDto(stats, { totalUsers, isDegraded: failures.length > 0, now: now() }),
    };
  };

  const getAudit: Handler = async ({ request }) => {
    const { limit = DEFAULT_LIMIT, ...query } = parseQuery(listAuditQuerySchema, request.query);
    const page = await auditLog.list({
      kind: query.kind ?? null,
      userId: query.userId ?? null,
      after: query.cursor ?? null,
      limit,
    });
    const records = page.map(({ id, at, kind, actorId, userId, address, requestId, details = {} }) => ({
      id,
      at: at.toISOString(),
      kind,
      actorId,
      userId,
      address,
      requestId,
      details,
    }));
    return { status: 200, body: { records, nextCursor: nextCursor(page, limit) } };
  };

  const common = { reach: 'extended', access: 'admin', tag: 'Admin' } as const;
  return [
    {
      ...common,
      method: 'get',
      path: '/admin/users',
      name: 'listUsers',
      summary: 'Every user, without credentials',
      query: listUsersQuerySchema,
      answers: { 200: { description: 'The newest first.', schema: userListSchema } },
      errors: ['invalid_query'],
      handle: getUsers,
    },
    {
      ...common,
      method: 'patch',
      path: '/admin/users/:userId',
      name: 'changeUser',
      summary: 'Change the role of a user, or deactivate it: its sessions end at once',
      body: { schema: userChangeSchema, required: true },
      answers: { 200: { description: 'As it is now.', schema: userChangedSchema } },
      errors: ['invalid_role', 'not_found', 'invalid_state'],
      handle: patchUser,
    },
    {
      ...common,
      method: 'get',
      path: '/admin/jobs',
      name: 'listAllJobs',
      summary: 'The jobs of all users',
      query: listAllJobsQuerySchema,
      answers: { 200: { description: 'One page.', schema: allJobsSchema } },
      errors: ['invalid_query'],
      handle: getJobs,
    },
    {
      ...common,
      method: 'delete',
      path: '/admin/jobs/:jobId',
      name: 'deleteJob',
      summary: 'Delete a job that does not run, and what only it has made',
      answers: { 200: { description: 'It is gone.', schema: jobDeletedSchema } },
      errors: ['not_found', 'invalid_state'],
      handle: deleteJob,
    },
    {
      ...common,
      method: 'get',
      path: '/admin/stats',
      name: 'getStats',
      summary: 'How the whole system is doing',
      answers: { 200: { description: 'The figures of now.', schema: systemStatsSchema } },
      errors: [],
      handle: getStats,
    },
    {
      ...common,
      method: 'get',
      path: '/admin/audit',
      name: 'listAudit',
      summary: 'What was written down about security',
      query: listAuditQuerySchema,
      answers: { 200: { description: 'The newest first.', schema: auditListSchema } },
      errors: ['invalid_query'],
      handle: getAudit,
    },
  ];
};
