import { coalesce } from '@esl/kit/coalesce';
import type { GrpcClient } from '@esl/kit/grpc-client';
import { currentContext, type RequestContext } from '@esl/kit/request-context';
import { said } from '@esl/kit/said';
import type { BatchesService } from '@esl-pipeline/contracts/esl/jobs/v1/batches_service';
import type { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { JOB_PRIORITY_VALUE } from '@esl-pipeline/contracts/http/job-words';
import type { CreateBatch } from '../app/submit-batch.ts';
import type { CreateJob, NewJob } from '../app/submit-job.ts';
import { instant } from '../instant.ts';

/** Jobs of one call, and calls under way together; what is submitted meanwhile goes into the next. */
const MAX_JOBS_A_CALL = 200;
const CALLS_AT_ONCE = 2;

/** A job and the request that it is for: their calls are shared, their traces are not. */
type Wanted = { readonly job: NewJob; readonly origin: RequestContext };

const newJobToWire = ({ id, ownerId, wish: { priority, runAt, ...spec }, lessonKey }: NewJob) => ({
  id,
  ownerId,
  spec: { ...said(spec), lessonKey },
  ...said({
    priority: priority && JOB_PRIORITY_VALUE[priority],
    runAt: instant(runAt),
  }),
});

export const jobCreator = ({
  createJobs,
}: Pick<GrpcClient<typeof JobsService>['call'], 'createJobs'>): CreateJob => {
  const create = coalesce(
    async (wanted: readonly Wanted[]) => {
      const { jobs } = await createJobs({
        jobs: wanted.map(({ job, origin: { requestId, traceparent, tracestate } }) => ({
          ...newJobToWire(job),
          origin: said({ requestId, traceparent, tracestate }),
        })),
      });
      return jobs;
    },
    { maxItems: MAX_JOBS_A_CALL, inFlight: CALLS_AT_ONCE },
  );
  return (job) => create({ job, origin: currentContext() });
};

export const batchCreator =
  ({ createBatch }: Pick<GrpcClient<typeof BatchesService>['call'], 'createBatch'>): CreateBatch =>
  ({ id, ownerId, name, jobs }) =>
    createBatch({ batchId: id, ownerId, ...said({ name }), jobs: jobs.map(newJobToWire) });
