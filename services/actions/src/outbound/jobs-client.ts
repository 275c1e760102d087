import { CallFailed, type GrpcClient, Refused } from '@esl/kit/grpc-client';
import { accept, refuse } from '@esl/kit/outcome';
import type { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { JOB_STATE_WORD } from '@esl-pipeline/contracts/http/job-words';
import { status } from '@grpc/grpc-js';
import type { Change, Jobs } from '../app/needs.ts';

const jobNotFound = () => refuse('job_not_found', 'There is no such job.');

/** Whether a service could not be reached in time, as against a fault inside it. */
export const isUnreachable = (error: unknown): boolean =>
  error instanceof CallFailed &&
  (error.status === status.UNAVAILABLE || error.status === status.DEADLINE_EXCEEDED);

/** Between the look at a job and its change it may have moved: then the jobs service says where it is. */
const change = async (call: Promise<unknown>): Promise<Change> => {
  try {
    await call;
    return accept(null);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { code, details } = error.refusal;
    if (code === 'job_not_found') return jobNotFound();
    if (code === 'job_cannot_move') return { ok: false, blockedBy: String(details?.state) };
    throw error;
  }
};

export const jobsClient = ({ call }: Pick<GrpcClient<typeof JobsService>, 'call'>): Jobs => ({
  find: async (scope, jobId, signal) => {
    if (!scope) return refuse('scope_required', 'The request says nobody’s jobs.');
    try {
      const { job } = await call.getJob({ scope, jobId }, signal);
      const state = job && JOB_STATE_WORD[job.state];
      if (!job?.spec || !state) throw new Error('the jobs service answered a job without spec or state');
      return accept({ scope, job, spec: job.spec, state });
    } catch (error) {
      if (isUnreachable(error)) return refuse('unavailable', 'Jobs cannot be reached now.');
      if (!(error instanceof Refused)) throw error;
      if (error.refusal.code === 'job_not_found') return jobNotFound();
      if (error.refusal.code === 'scope_required') return refuse('scope_required', error.refusal.message);
      throw error;
    }
  },
  create: async (job, signal) => {
    await call.createJobs({ jobs: [job] }, signal);
  },
  cancel: ({ scope, job, actorId: actor }, reason, signal) =>
    change(call.cancelJob({ scope, jobId: job.id, actor, ...(reason !== null && { reason }) }, signal)),
  edit: ({ scope, job, actorId: actor }, { preset, notionDatabase }, signal) =>
    change(
      call.editMetadata(
        {
          scope,
          jobId: job.id,
          actor,
          ...(preset !== null && { preset }),
          ...(notionDatabase !== null && { notionDatabase }),
        },
        signal,
      ),
    ),
});
