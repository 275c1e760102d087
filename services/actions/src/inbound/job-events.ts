import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { ack, type Handlers, on, type Verdict } from '@esl/kit/delivery';
import type { JobEventType } from '@esl-pipeline/contracts';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import type * as pb from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { type JobLinks, jobDto, jobEventDto } from '@esl-pipeline/contracts/http/job-dto';
import type { queueDeliveries } from '../app/queue-deliveries.ts';

type JobFact = {
  readonly eventId: string;
  readonly ownerId: string;
  readonly occurredAt?: Timestamp | undefined;
  readonly job?: pb.Job | undefined;
};

/** Turns facts about jobs into deliveries for those who want to hear of them. */
export const jobEventHandlers = (queue: ReturnType<typeof queueDeliveries>, links: JobLinks): Handlers => {
  const tell =
    (type: JobEventType) =>
    async ({ eventId, ownerId, occurredAt, job }: JobFact): Promise<Verdict> => {
      if (!job || !occurredAt) throw new Error(`event ${eventId} without a job or a time`);
      const data = () => jobEventDto(type, jobDto(job, links));
      await queue({ eventId, ownerId, type, at: timestampDate(occurredAt), data });
      return ack;
    };
  return new Map([
    on(CHANNELS.jobCreated, tell('job_created')),
    on(CHANNELS.jobStateChanged, tell('job_state_changed')),
    on(CHANNELS.jobProgressed, tell('job_progress')),
    on(CHANNELS.jobUpdated, tell('job_updated')),
  ]);
};
