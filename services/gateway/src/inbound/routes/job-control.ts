import type { GrpcClient } from '@esl/kit/grpc-client';
import { said } from '@esl/kit/said';
import {
  artifactListSchema,
  type Job,
  jobAcceptedSchema,
  jobSchema,
  RESCHEDULE_JOB_CODES,
  rescheduleJobSchema,
  timelineSchema,
} from '@esl-pipeline/contracts';
import type * as pb from '@esl-pipeline/contracts/esl/jobs/v1/job';
import type { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { artifactDtos, type JobLinks } from '@esl-pipeline/contracts/http/job-dto';
import { JOB_PRIORITY_VALUE } from '@esl-pipeline/contracts/http/job-words';
import { timelineEntryDto } from '@esl-pipeline/contracts/http/timeline-dto';
import { instant } from '../../instant.ts';
import { scopeOf } from '../principal.ts';
import { jobNotFound, problem } from '../problem.ts';
import { objectBody, parseFields } from '../request-body.ts';
import type { Call, Handler, Route } from '../route.ts';

export const jobControlRoutes = ({
  jobs,
  toDto,
  links,
}: {
  readonly jobs: GrpcClient<typeof JobsService>['call'];
  readonly toDto: (job: pb.Job) => Job;
  readonly links: JobLinks;
}): Route[] => {
  const of = ({ principal, request }: Call) => ({
    scope: scopeOf(principal),
    jobId: String(request.params.jobId),
  });

  const reschedule: Handler = async (call) => {
    const body = objectBody(call.request.body, 'invalid_body', 'The body');
    const { runAt, priority } = parseFields(rescheduleJobSchema, RESCHEDULE_JOB_CODES, body);
    if (runAt === undefined && priority === undefined)
      throw problem('empty_edit', 'Send "runAt", "priority", or both.');
    const { job } = await jobs.rescheduleJob({
      ...of(call),
      actor: call.principal.ownerId,
      ...said({
        runAt: instant(runAt),
        priority: priority && JOB_PRIORITY_VALUE[priority],
      }),
    });
    if (!job) throw jobNotFound();
    return { status: 200, body: toDto(job) };
  };

  const retry: Handler = async (call) => {
    const { job } = await jobs.retryJob({
      ...of(call),
      newJobId: call.newId(),
      actor: call.principal.ownerId,
    });
    if (!job) throw jobNotFound();
    return { status: 202, body: { jobId: job.id } };
  };

  const timeline: Handler = async (call) => {
    const { entries } = await jobs.getTimeline(of(call), call.signal);
    return {
      status: 200,
      body: { entries: entries.map(timelineEntryDto).filter((entry) => entry !== null) },
    };
  };

  const artifacts: Handler = async (call) => {
    const { job } = await jobs.getJob(of(call), call.signal);
    if (!job) throw jobNotFound();
    return { status: 200, body: { artifacts: artifactDtos(job, links) } };
  };

  const common = { reach: 'extended', tag: 'Jobs' } as const;
  return [
    {
      ...common,
      method: 'patch',
      path: '/jobs/:jobId',
      access: 'user',
      name: 'rescheduleJob',
      summary: 'Change when or how urgently a queued job runs',
      body: { schema: rescheduleJobSchema, required: true },
      answers: { 200: { description: 'The changed job.', schema: jobSchema } },
      errors: [...Object.values(RESCHEDULE_JOB_CODES), 'empty_edit', 'not_found', 'invalid_state'],
      handle: reschedule,
    },
    {
      ...common,
      method: 'post',
      path: '/jobs/:jobId/retry',
      access: 'user',
      name: 'retryJob',
      summary: 'Try a failed or cancelled job again, as a new job that skips what was done',
      idempotent: 'stored',
      counts: 'submission',
      answers: { 202: { description: 'The new job.', schema: jobAcceptedSchema } },
      errors: ['not_found', 'invalid_state'],
      handle: retry,
    },
    {
      ...common,
      method: 'get',
      path: '/jobs/:jobId/timeline',
      access: 'viewer',
      name: 'getTimeline',
      summary: 'Read what happened to a job',
      answers: { 200: { description: 'Every state, step, attempt and action.', schema: timelineSchema } },
      errors: ['not_found'],
      handle: timeline,
    },
    {
      ...common,
      method: 'get',
      path: '/jobs/:jobId/artifacts',
      access: 'viewer',
      name: 'listArtifacts',
      summary: 'List what a job made',
      answers: { 200: { description: 'What there is so far.', schema: artifactListSchema } },
      errors: ['not_found'],
      handle: artifacts,
    },
  ];
};
