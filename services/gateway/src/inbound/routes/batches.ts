import type { GrpcClient } from '@esl/kit/grpc-client';
import { said } from '@esl/kit/said';
import {
  type BatchItemProblem,
  batchAcceptedSchema,
  batchCancelledSchema,
  batchListSchema,
  batchSchema,
  cancelSchema,
  jobsRetriedSchema,
  MAX_BATCH_ITEMS,
  pageQuerySchema,
  SUBMIT_JOB_CODES,
  type SubmitJob,
  submitBatchSchema,
  submitJobSchema,
} from '@esl-pipeline/contracts';
import type { BatchesService } from '@esl-pipeline/contracts/esl/jobs/v1/batches_service';
import { batchDto } from '@esl-pipeline/contracts/http/batch-dto';
import type { submitBatch } from '../../app/submit-batch.ts';
import { scopeOf } from '../principal.ts';
import { notFound, Problem, problem } from '../problem.ts';
import { objectBody, parseFields } from '../request-body.ts';
import { parseQuery } from '../request-query.ts';
import type { Call, Handler, Route } from '../route.ts';

/** What `POST /jobs` would say of an item. */
const readItem = (item: unknown, index: number): SubmitJob | BatchItemProblem => {
  try {
    return parseFields(submitJobSchema, SUBMIT_JOB_CODES, objectBody(item, 'invalid_body', 'An item'));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { code, message, details } = error.envelope;
    return { index, code, issues: details?.issues ?? [{ path: '', message }] };
  }
};

const isProblem = (item: SubmitJob | BatchItemProblem): item is BatchItemProblem => 'index' in item;

const readItems = (items: unknown): SubmitJob[] => {
  if (!Array.isArray(items) || items.length === 0 || items.length > MAX_BATCH_ITEMS)
    throw problem('invalid_batch', `"items" must be a list of 1 to ${MAX_BATCH_ITEMS} jobs.`, {
      details: { issues: [{ path: 'items', message: `must have 1 to ${MAX_BATCH_ITEMS} items` }] },
    });
  const read = items.map(readItem);
  const problems = read.filter(isProblem);
  if (problems.length > 0)
    throw problem('invalid_batch', `${problems.length} of ${items.length} items are not valid.`, {
      details: { items: problems },
    });
  return read.filter((item): item is SubmitJob => !isProblem(item));
};

export const batchRoutes = ({
  submit,
  batches,
}: {
  readonly submit: ReturnType<typeof submitBatch>;
  readonly batches: GrpcClient<typeof BatchesService>['call'];
}): Route[] => {
  const of = ({ principal, request }: Call) => ({
    scope: scopeOf(principal),
    batchId: String(request.params.batchId),
  });

  const create: Handler = async ({ principal, request, newId }) => {
    const body = objectBody(request.body, 'invalid_body', 'The body');
    const { name } = parseFields(submitBatchSchema.pick({ name: true }), { name: 'invalid_batch' }, body);
    const outcome = await submit(newId, principal.ownerId, { name, items: readItems(body.items) });
    if (outcome.ok) return { status: 202, body: outcome.value };
    const { code, message, details } = outcome.refusal;
    throw problem(code, message, said({ details }));
  };

  const get: Handler = async (call) => {
    const { batch } = await batches.getBatch(of(call), call.signal);
    if (!batch) throw notFound();
    return { status: 200, body: batchDto(batch) };
  };

  const list: Handler = async ({ principal, request, signal }) => {
    const { limit = 0, cursor = '' } = parseQuery(pageQuerySchema, request.query);
    const scope = { reach: { case: 'ownerId', value: principal.ownerId } } as const;
    const page = await batches.listBatches({ scope, pageSize: limit, pageToken: cursor }, signal);
    return {
      status: 200,
      body: { batches: page.batches.map(batchDto), nextCursor: page.nextPageToken || null },
    };
  };

  const cancel: Handler = async (call) => {
    const { body = {} } = call.request;
    const { reason } = parseFields(
      cancelSchema,
      { reason: 'invalid_reason' },
      objectBody(body, 'invalid_body', 'The body'),
    );
    const actor = call.principal.ownerId;
    const { cancelled } = await batches.cancelBatch({ ...of(call), actor, ...said({ reason }) });
    return { status: 200, body: { cancelled } };
  };

  const retryFailed: Handler = async (call) => {
    const { jobIds } = await batches.retryFailed({ ...of(call), actor: call.principal.ownerId });
    return { status: 202, body: { jobIds } };
  };

  const common = { reach: 'extended', tag: 'Batches' } as const;
  return [
    {
      ...common,
      method: 'post',
      path: '/jobs/batch',
      access: 'user',
      name: 'submitBatch',
      summary: 'Submit up to 500 lessons together',
      idempotent: 'stored',
      counts: 'submission',
      body: { schema: submitBatchSchema, required: true },
      answers: {
        202: {
          description: 'All jobs are stored, and will end in a final state.',
          schema: batchAcceptedSchema,
        },
      },
      errors: ['invalid_batch'],
      handle: create,
    },
    {
      ...common,
      method: 'get',
      path: '/batches',
      access: 'viewer',
      name: 'listBatches',
      summary: 'List your batches, latest first',
      query: pageQuerySchema,
      answers: { 200: { description: 'One page.', schema: batchListSchema } },
      errors: ['invalid_query'],
      handle: list,
    },
    {
      ...common,
      method: 'get',
      path: '/batches/:batchId',
      access: 'viewer',
      name: 'getBatch',
      summary: 'See how far a batch is',
      answers: { 200: { description: 'The batch.', schema: batchSchema } },
      errors: ['not_found'],
      handle: get,
    },
    {
      ...common,
      method: 'post',
      path: '/batches/:batchId/cancel',
      access: 'user',
      name: 'cancelBatch',
      summary: 'Cancel every job of a batch that has not ended',
      body: { schema: cancelSchema, required: false },
      answers: { 200: { description: 'How many were cancelled.', schema: batchCancelledSchema } },
      errors: ['not_found', 'invalid_reason'],
      handle: cancel,
    },
    {
      ...common,
      method: 'post',
      path: '/batches/:batchId/retry-failed',
      access: 'user',
      name: 'retryFailedOfBatch',
      summary: 'Try the failed jobs of a batch again, as new jobs',
      idempotent: 'stored',
      counts: 'submission',
      answers: { 202: { description: 'The new jobs.', schema: jobsRetriedSchema } },
      errors: ['not_found'],
      handle: retryFailed,
    },
  ];
};
