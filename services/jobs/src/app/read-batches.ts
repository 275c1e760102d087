import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import type { Batch } from '../domain/batch.ts';
import { isBatchId } from '../domain/job.ts';
import type { BatchStore, Scope } from './needs.ts';

export const batchNotFound = () => refuse('batch_not_found', 'There is no such batch.');

/** A batch outside the scope looks exactly like a missing one. */
export const getBatch =
  ({ batches }: { batches: BatchStore }) =>
  async (scope: Scope, id: string): Promise<Outcome<Batch, 'batch_not_found'>> => {
    const batch = isBatchId(id) ? await batches.find(scope, id) : null;
    return batch ? accept(batch) : batchNotFound();
  };

export type BatchPage = { readonly batches: readonly Batch[]; readonly nextPageToken: string };

/** One page, latest first. The token is the id of its last batch. */
export const listBatches =
  ({ batches }: { batches: BatchStore }) =>
  async (
    scope: Scope,
    page: { readonly token: string; readonly size: number },
  ): Promise<Outcome<BatchPage, 'invalid_page_token'>> => {
    if (page.token && !isBatchId(page.token))
      return refuse('invalid_page_token', 'The page token was not made for this list.');
    const limit = Math.min(Math.max(page.size || 25, 1), 100);
    const found = await batches.list(scope, { before: page.token || null, limit: limit + 1 });
    const shown = found.slice(0, limit);
    const nextPageToken = found.length > limit ? (shown.at(-1)?.id ?? '') : '';
    return accept({ batches: shown, nextPageToken });
  };
