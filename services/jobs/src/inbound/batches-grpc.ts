import { type ServedService, serve } from '@esl/kit/grpc-server';
import { BatchesService } from '@esl-pipeline/contracts/esl/jobs/v1/batches_service';
import { status } from '@grpc/grpc-js';
import type { cancelBatch } from '../app/cancel-batch.ts';
import type { BatchRefusal, createBatch } from '../app/create-batch.ts';
import type { getBatch, listBatches } from '../app/read-batches.ts';
import type { retryFailed } from '../app/retry-failed.ts';
import type { OwnerId } from '../domain/job.ts';
import { batchToWire } from '../wire.ts';
import { newJobFromWire } from './grpc.ts';
import { actorOf, answer, within } from './scope.ts';

export type BatchUseCases = {
  readonly create: ReturnType<typeof createBatch>;
  readonly get: ReturnType<typeof getBatch>;
  readonly list: ReturnType<typeof listBatches>;
  readonly cancel: ReturnType<typeof cancelBatch>;
  readonly retry: ReturnType<typeof retryFailed>;
};

const STATUSES = {
  scope_required: status.INVALID_ARGUMENT,
  invalid_batch_id: status.INVALID_ARGUMENT,
  invalid_batch_size: status.INVALID_ARGUMENT,
  invalid_job_id: status.INVALID_ARGUMENT,
  invalid_page_token: status.INVALID_ARGUMENT,
  batch_not_found: status.NOT_FOUND,
} as const satisfies Record<
  BatchRefusal | 'scope_required' | 'invalid_page_token' | 'batch_not_found',
  status
>;

export const batchesGrpc = (use: BatchUseCases): ServedService =>
  serve(
    BatchesService,
    {
      createBatch: async ({ batchId, ownerId, name, jobs }) => {
        const wanted = jobs.flatMap(newJobFromWire);
        const batch = { id: batchId, ownerId: ownerId as OwnerId, name: name ?? null, jobs: wanted };
        return answer(await use.create(batch), (stored) => ({
          batch: batchToWire(stored.batch),
          jobIds: [...stored.jobIds],
        }));
      },
      getBatch: ({ scope, batchId }) =>
        within(scope, async (reach) =>
          answer(await use.get(reach, batchId), (batch) => ({ batch: batchToWire(batch) })),
        ),
      listBatches: ({ scope, pageSize, pageToken }) =>
        within(scope, async (reach) =>
          answer(await use.list(reach, { token: pageToken, size: pageSize }), (page) => ({
            batches: page.batches.map(batchToWire),
            nextPageToken: page.nextPageToken,
          })),
        ),
      cancelBatch: ({ scope, batchId, reason, actor }) =>
        within(scope, async (reach) => {
          const wish = { reason: reason ?? null, actor: actorOf(reach, actor) };
          return answer(await use.cancel(reach, batchId, wish), (cancelled) => ({ cancelled }));
        }),
      retryFailed: ({ scope, batchId, actor }) =>
        within(scope, async (reach) =>
          answer(await use.retry(reach, batchId, { actor: actorOf(reach, actor) }), (jobIds) => ({
            jobIds: [...jobIds],
          })),
        ),
    },
    STATUSES,
  );
