import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { z } from 'zod';
import { isJobId, type Job } from '../domain/job.ts';
import type { TimelineEntry } from '../domain/timeline.ts';
import type { JobFilter, JobSort, JobStore, Position, Scope } from './needs.ts';

export const jobNotFound = () => refuse('job_not_found', 'There is no such job.');

export const isWithin = (scope: Scope, job: Job): boolean =>
  scope === 'everyone' || job.ownerId === scope.ownerId;

/** A job outside the scope looks exactly like a missing one. */
export const getJob =
  ({ store }: { store: Pick<JobStore, 'find'> }) =>
  async (scope: Scope, id: string): Promise<Outcome<Job, 'job_not_found'>> => {
    const job = isJobId(id) ? await store.find(id) : null;
    return job && isWithin(scope, job) ? accept(job) : jobNotFound();
  };

/** What happened to a job, by time: a worker's clock may differ a little from ours. */
export const getTimeline =
  ({ store }: { store: Pick<JobStore, 'timeline'> }) =>
  async (scope: Scope, id: string): Promise<Outcome<readonly TimelineEntry[], 'job_not_found'>> => {
    const found = isJobId(id) ? await store.timeline(id) : null;
    if (!found || !isWithin(scope, found.job)) return jobNotFound();
    return accept(found.entries.toSorted((a, b) => a.at.getTime() - b.at.getTime()));
  };

const positionSchema = z.tuple([
  z.enum(['-createdAt', 'createdAt', '-updatedAt', 'updatedAt']),
  z.int(),
  z.uuid(),
]);

const encodePosition = (sort: JobSort, { value, id }: Position): string =>
  Buffer.from(JSON.stringify([sort, value, id])).toString('base64url');

/** Null when the token was not made for this sort. */
const decodePosition = (sort: JobSort, token: string): Position | null => {
  try {
    const [tokenSort, value, id] = positionSchema.parse(
      JSON.parse(Buffer.from(token, 'base64url').toString('utf8')),
    );
    return tokenSort === sort ? { value, id } : null;
  } catch {
    return null;
  }
};

export type JobPage = {
  readonly jobs: readonly Job[];
  readonly nextPageToken: string;
  readonly total: number;
};

/** One page, and the token of the next. A token marks a position, so rows that come or go never shift a page. */
export const listJobs =
  ({ store }: { store: Pick<JobStore, 'list'> }) =>
  async (
    scope: Scope,
    filter: JobFilter,
    page: { sort: JobSort; token: string; size: number },
  ): Promise<Outcome<JobPage, 'invalid_page_token'>> => {
    const after = page.token ? decodePosition(page.sort, page.token) : null;
    if (page.token && !after)
      return refuse('invalid_page_token', 'The page token was not made for this list.');
    const limit = Math.min(Math.max(page.size || 25, 1), 100);
    const { jobs, total } = await store.list(scope, filter, { sort: page.sort, after, limit: limit + 1 });
    const shown = jobs.slice(0, limit);
    const last = shown.at(-1);
    const field = page.sort.replace('-', '') as 'createdAt' | 'updatedAt';
    const nextPageToken =
      jobs.length > limit && last
        ? encodePosition(page.sort, { value: last[field].getTime(), id: last.id })
        : '';
    return accept({ jobs: shown, nextPageToken, total });
  };
