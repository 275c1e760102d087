import { coalesce } from '@esl/kit/coalesce';
import type { GrpcClient } from '@esl/kit/grpc-client';
import { said } from '@esl/kit/said';
import type { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import type { CreateJob, NewJob } from '../app/submit-job.ts';

/** Jobs of one call, and calls under way together; what is submitted meanwhile goes into the next. */
const MAX_JOBS_A_CALL = 200;
const CALLS_AT_ONCE = 2;

export const jobCreator = ({
  createJobs,
}: Pick<GrpcClient<typeof JobsService>['call'], 'createJobs'>): CreateJob =>
  coalesce(
    async (wanted: readonly NewJob[]) => {
      const { jobs } = await createJobs({
        jobs: wanted.map(({ id, ownerId, spec }) => ({ id, ownerId, spec: said(spec) })),
      });
      return jobs;
    },
    { maxItems: MAX_JOBS_A_CALL, inFlight: CALLS_AT_ONCE },
  );
