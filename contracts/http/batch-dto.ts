import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import * as pb from '../gen/esl/jobs/v1/batch_pb.ts';
import type { Batch } from './batch.ts';
import type { BatchEvent, BatchEventType } from './job-events.ts';

const time = (at: Timestamp): string => timestampDate(at).toISOString();

/** A batch as clients see it. */
export const batchDto = (batch: pb.Batch): Batch => {
  const { counts, createdAt, finishedAt } = batch;
  if (!createdAt) throw new Error('a batch without createdAt');
  const { queued = 0, running = 0, succeeded = 0, failed = 0, cancelled = 0 } = counts ?? {};
  return {
    batchId: batch.id,
    name: batch.name ?? null,
    total: batch.total,
    counts: { queued, running, succeeded, failed, cancelled },
    state: batch.state === pb.BatchState.FINISHED ? 'finished' : 'running',
    createdAt: time(createdAt),
    finishedAt: finishedAt ? time(finishedAt) : null,
    etaSeconds: batch.etaSeconds ?? null,
  };
};

/** The data of a batch event. */
export const batchEventDto = (type: BatchEventType, batch: pb.Batch): BatchEvent => ({
  type,
  ...batchDto(batch),
});
