import { coalesce } from '@esl/kit/coalesce';
import type { GrpcClient } from '@esl/kit/grpc-client';
import { currentContext, type RequestContext } from '@esl/kit/request-context';
import { said } from '@esl/kit/said';
import type { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import type { CreateJob, NewJob } from '../app/submit-job.ts';

/** Jobs of one call, and calls under way together; what is submitted meanwhile goes into the next. */
const MAX_JOBS_A_CALL = 200;
const CALLS_AT_ONCE = 2;

/** A job and the request that it is for: their calls are shared, their traces are not. */
type Wanted = { readonly job: NewJob; readonly origin: RequestContext };

export const jobCreator = ({
  createJobs,
}: Pick<GrpcClient<typeof JobsService>['call'], 'createJobs'>): CreateJob => {
  const create = coalesce(
    async (wanted: readonly Wanted[]) => {
      const { jobs } = await createJobs({
        jobs: wanted.map(
          ({ job: { id, ownerId, spec }, origin: { requestId, traceparent, tracestate } }) => ({
            id,
            ownerId,
            spec: said(spec),
            origin: said({ requestId, traceparent, tracestate }),
          }),
        ),
      });
      return jobs;
    },
    { maxItems: MAX_JOBS_A_CALL, inFlight: CALLS_AT_ONCE },
  );
  return (job) => create({ job, origin: currentContext() });
};
