import type { GrpcClient } from '@esl/kit/grpc-client';
import {
  type Job,
  jobAcceptedSchema,
  jobListSchema,
  jobSchema,
  listJobsQuerySchema,
  SUBMIT_JOB_CODES,
  submitJobSchema,
} from '@esl-pipeline/contracts';
import type * as pb from '@esl-pipeline/contracts/esl/jobs/v1/job';
import type { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { z } from 'zod';
import type { submitJob } from '../../app/submit-job.ts';
import { listRequest } from '../job-query.ts';
import { scopeOf } from '../principal.ts';
import { jobNotFound, problem } from '../problem.ts';
import { objectBody, parseFields } from '../request-body.ts';
import { parseQuery } from '../request-query.ts';
import type { Call, Handler, Route } from '../route.ts';

const DEFAULT_LIMIT = 25;
const MAX_LIMIT = 100;

const userJobsSchema = z.object({ jobs: z.array(jobSchema), total: z.int() }).meta({ id: 'UserJobs' });

export const jobRoutes = ({
  submit,
  jobs,
  toDto,
}: {
  readonly submit: ReturnType<typeof submitJob>;
  readonly jobs: GrpcClient<typeof JobsService>['call'];
  readonly toDto: (job: pb.Job) => Job;
}): Route[] => {
  const post: Handler = async ({ principal, request, newId }) => {
    const wish = parseFields(
      submitJobSchema,
      SUBMIT_JOB_CODES,
      objectBody(request.body, 'invalid_body', 'The body'),
    );
    const outcome = await submit(newId(), principal.ownerId, wish);
    if (!outcome.ok) throw problem(outcome.refusal.code, outcome.refusal.message);
    return { status: 202, body: outcome.value };
  };

  const get: Handler = async ({ principal, request, signal }) => {
    const { job } = await jobs.getJob(
      { scope: scopeOf(principal), jobId: String(request.params.jobId) },
      signal,
    );
    if (!job) throw jobNotFound();
    return { status: 200, body: toDto(job) };
  };

  const page = async ({ principal, request, signal }: Call, defaultLimit: number) => {
    const query = parseQuery(listJobsQuerySchema, request.query);
    const scope = { reach: { case: 'ownerId', value: principal.ownerId } } as const;
    const answer = await jobs.listJobs(listRequest(query, scope, defaultLimit), signal);
    return {
      jobs: answer.jobs.map(toDto),
      nextCursor: answer.nextPageToken || null,
      total: Number(answer.total),
    };
  };
  const list: Handler = async (call) => ({ status: 200, body: await page(call, DEFAULT_LIMIT) });
  /** The older list has no pages: it shows as many as there can be. */
  const listOfUser: Handler = async (call) => {
    const { jobs: shown, total } = await page(call, MAX_LIMIT);
    return { status: 200, body: { jobs: shown, total } };
  };

  const submission = {
    method: 'post',
    access: 'user',
    tag: 'Jobs',
    idempotent: 'stored',
    body: { schema: submitJobSchema, required: true },
    counts: 'submission',
    answers: {
      202: { description: 'The job is stored and will end in a final state.', schema: jobAcceptedSchema },
    },
    errors: [...Object.values(SUBMIT_JOB_CODES), 'md_not_found'],
    handle: post,
  } as const satisfies Partial<Route>;
  const reading = {
    method: 'get',
    reach: 'core',
    access: 'viewer',
    tag: 'Jobs',
    answers: { 200: { description: 'The job.', schema: jobSchema } },
    errors: ['not_found'],
    handle: get,
  } as const satisfies Partial<Route>;
  const listing = {
    method: 'get',
    access: 'viewer',
    tag: 'Jobs',
    query: listJobsQuerySchema,
    errors: ['invalid_query'],
  } as const satisfies Partial<Route>;

  return [
    { ...submission, path: '/jobs', reach: 'core', name: 'submitJob', summary: 'Submit a lesson' },
    {
      ...listing,
      path: '/jobs',
      reach: 'core',
      name: 'listJobs',
      summary: 'List your jobs, page by page',
      answers: { 200: { description: 'One page.', schema: jobListSchema } },
      handle: list,
    },
    {
      ...submission,
      path: '/user/jobs',
      reach: 'extended',
      name: 'submitUserJob',
      summary: 'Submit a lesson',
    },
    {
      ...listing,
      path: '/user/jobs',
      reach: 'extended',
      name: 'listUserJobs',
      summary: 'List your jobs',
      answers: { 200: { description: 'The first jobs, and how many there are.', schema: userJobsSchema } },
      handle: listOfUser,
    },
    { ...reading, path: '/jobs/:jobId', name: 'getJob', summary: 'Read a job' },
    { ...reading, path: '/jobs/:jobId/status', name: 'getJobStatus', summary: 'Read a job' },
  ];
};
