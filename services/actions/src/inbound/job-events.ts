import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { ack, type Handlers, on, type Verdict } from '@esl/kit/delivery';
import type { BatchEvent, BatchEventType, JobEventType } from '@esl-pipeline/contracts';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import type { Batch } from '@esl-pipeline/contracts/esl/jobs/v1/batch';
import type { Job } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { batchDto } from '@esl-pipeline/contracts/http/batch-dto';
import { type JobLinks, jobDto, jobEventDto } from '@esl-pipeline/contracts/http/job-dto';
import type { queueDeliveries } from '../app/queue-deliveries.ts';

type Fact = {
  readonly eventId: string;
  readonly ownerId: string;
  readonly occurredAt?: Timestamp | undefined;
};
type JobFact = Fact & { readonly job?: Job | undefined };
type BatchFact = Fact & { readonly batch?: Batch | undefined };

/** Turns facts about jobs and batches into deliveries for those who want to hear of them. */
export const jobEventHandlers = (queue: ReturnType<typeof queueDeliveries>, links: JobLinks): Handlers => {
  const tell =
    (type: JobEventType) =>
    async ({ eventId, ownerId, occurredAt, job }: JobFact): Promise<Verdict> => {
      if (!job || !occurredAt) throw new Error(`event ${eventId} without a job or a time`);
      const data = () => jobEventDto(type, jobDto(job, links));
      await queue({ eventId, ownerId, type, at: timestampDate(occurredAt), data });
      return ack;
    };
  const tellOfBatch =
    (type: BatchEventType) =>
    async ({ eventId, ownerId, occurredAt, batch }: BatchFact): Promise<Verdict> => {
      if (!batch || !occurredAt) throw new Error(`event ${eventId} without a batch or a time`);
      const data = (): BatchEvent => ({ type, ...batchDto(batch) });
      await queue({ eventId, ownerId, type, at: timestampDate(occurredAt), data });
      return ack;
    };
  return new Map([
    on(CHANNELS.batchUpdated, tellOfBatch('batch_updated')),
    on(CHANNELS.batchFinished, tellOfBatch('batch_finished')),
    on(CHANNELS.jobCreated, tell('job_created')),
    on(CHANNELS.jobStateChanged, tell('job_state_changed')),
    on(CHANNELS.jobProgressed, tell('job_progress')),
    on(CHANNELS.jobUpdated, tell('job_updated')),
  ]);
};
