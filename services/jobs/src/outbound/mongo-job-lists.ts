// Pages of jobs. A page is found by the index that its filter and order ask for, named here, so that a plan never
// changes with the data.
//   Q1. By creation: an index that ends in the id, walked in order. Nothing is sorted in memory.
//   Q2. By change: the index of changes, walked in order; except for words, a batch or a parent, which few jobs
//       share: those jobs are looked up, and the page is sorted among them.
//   Q3. A total up to COUNTED is exact. A larger one may be some seconds old: counting is linear, a page is not.

import type { Document, Filter } from 'mongodb';
import type { JobFilter, JobSort, JobStore, Scope } from '../app/needs.ts';
import type { JobId } from '../domain/job.ts';
import {
  type JobDocument,
  type JobsCollection,
  LIST_INDEXES,
  type ListIndex,
  RECORD_ONLY,
  recordOf,
} from './job-documents.ts';

const MAX_TIME_MS = 5_000;
/** Totals up to here are counted each time. */
const COUNTED = 1_000;
const FRESH_MS = 5_000;
const MAX_TOTALS = 1_000;

const scopeFilter = (scope: Scope): Filter<JobDocument> =>
  scope === 'everyone' ? {} : { ownerId: scope.ownerId };

/** The lowest UUIDv7 of a millisecond: creation times are filtered on the id, which an index already sorts. */
const firstIdAt = (time: Date): string => {
  const hex = Math.max(time.getTime(), 0).toString(16).padStart(12, '0').slice(-12);
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
};

const listFilter = (scope: Scope, filter: JobFilter): Filter<JobDocument> => {
  const clauses: Filter<JobDocument>[] = [scopeFilter(scope)];
  if (filter.states.length > 0) clauses.push({ state: { $in: [...filter.states] } });
  if (filter.preset !== null) clauses.push({ 'spec.preset': filter.preset });
  if (filter.mode !== null) clauses.push({ 'spec.mode': filter.mode });
  if (filter.notionDatabase !== null) clauses.push({ 'spec.notionDatabase': filter.notionDatabase });
  if (filter.parentJobId !== null) clauses.push({ parentJobId: filter.parentJobId as JobId });
  if (filter.batchId !== null) clauses.push({ batchId: filter.batchId } as Filter<JobDocument>);
  if (filter.priority !== null) clauses.push({ priority: filter.priority });
  if (filter.words !== null) clauses.push({ words: { $all: [...filter.words] } });
  if (filter.createdFrom) clauses.push({ _id: { $gte: firstIdAt(filter.createdFrom) } });
  if (filter.createdTo) clauses.push({ _id: { $lt: firstIdAt(filter.createdTo) } });
  if (filter.finishedFrom) clauses.push({ finishedAt: { $gte: filter.finishedFrom } });
  if (filter.finishedTo) clauses.push({ finishedAt: { $lt: filter.finishedTo } });
  if (filter.hasError !== null) clauses.push({ failure: filter.hasError ? { $ne: null } : null });
  return { $and: clauses };
};

const pageFilter = (sort: JobSort, after: { value: number; id: string } | null): Filter<JobDocument> => {
  if (!after) return {};
  const beyond = sort.startsWith('-') ? '$lt' : '$gt';
  if (sort.endsWith('createdAt')) return { _id: { [beyond]: after.id } };
  const at = new Date(after.value);
  return { $or: [{ updatedAt: { [beyond]: at } }, { updatedAt: at, _id: { [beyond]: after.id } }] };
};

/** The index that answers a list (Q1, Q2). */
export const listIndex = (scope: Scope, filter: JobFilter, sort: JobSort): ListIndex | '_id_' => {
  const isOwners = scope !== 'everyone';
  if (filter.batchId !== null) return 'batch';
  if (filter.parentJobId !== null) return 'parent';
  if (filter.words !== null && isOwners) return 'ownerWords';
  if (sort.endsWith('updatedAt')) return isOwners ? 'ownerUpdated' : 'updated';
  if (filter.states.length > 0) return isOwners ? 'ownerState' : 'state';
  return isOwners ? 'owner' : '_id_';
};

export const listQuery = (
  scope: Scope,
  filter: JobFilter,
  { sort, after }: { sort: JobSort; after: { value: number; id: string } | null },
) => {
  const direction = sort.startsWith('-') ? (-1 as const) : (1 as const);
  const name = listIndex(scope, filter, sort);
  return {
    matching: listFilter(scope, filter),
    page: { $and: [listFilter(scope, filter), pageFilter(sort, after)] } satisfies Filter<JobDocument>,
    sort: sort.endsWith('createdAt') ? { _id: direction } : { updatedAt: direction, _id: direction },
    hint: name === '_id_' ? { _id: 1 as const } : LIST_INDEXES[name],
  };
};

type Total = { readonly value: number; readonly countedAt: number };

/** Counts what matches a filter (Q3). A stale total is renewed behind the answer that still shows it. */
const totals = (jobs: JobsCollection, now: () => Date) => {
  const large = new Map<string, Total>();
  const renewing = new Set<string>();

  const count = (matching: Filter<JobDocument>, hint: Document, limit?: number) =>
    jobs.countDocuments(matching, { hint, maxTimeMS: MAX_TIME_MS, ...(limit && { limit }) });

  const renew = async (key: string, matching: Filter<JobDocument>, hint: Document): Promise<number> => {
    renewing.add(key);
    try {
      const value = await count(matching, hint);
      large.delete(key);
      if (value > COUNTED) large.set(key, { value, countedAt: now().getTime() });
      const oldest = large.size > MAX_TOTALS ? large.keys().next().value : undefined;
      if (oldest) large.delete(oldest);
      return value;
    } finally {
      renewing.delete(key);
    }
  };

  return async (matching: Filter<JobDocument>, hint: Document): Promise<number> => {
    const key = JSON.stringify(matching);
    const known = large.get(key);
    if (!known) {
      const few = await count(matching, hint, COUNTED + 1);
      return few > COUNTED ? await renew(key, matching, hint) : few;
    }
    if (now().getTime() - known.countedAt > FRESH_MS && !renewing.has(key))
      renew(key, matching, hint).catch(() => large.delete(key));
    return known.value;
  };
};

export const listJobDocuments = (jobs: JobsCollection, now: () => Date): JobStore['list'] => {
  const totalOf = totals(jobs, now);
  return async (scope, filter, { sort, after, limit }) => {
    if (filter.words?.length === 0) return { jobs: [], total: 0 };
    const query = listQuery(scope, filter, { sort, after });
    const [documents, total] = await Promise.all([
      jobs
        .find(query.page, { ...RECORD_ONLY, maxTimeMS: MAX_TIME_MS, hint: query.hint })
        .sort(query.sort)
        .limit(limit)
        .toArray(),
      totalOf(query.matching, query.hint),
    ]);
    return { jobs: documents.map(recordOf), total };
  };
};
