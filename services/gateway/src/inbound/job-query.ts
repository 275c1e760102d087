import type { MessageInitShape } from '@bufbuild/protobuf';
import { said } from '@esl/kit/said';
import type { ListJobsQuery } from '@esl-pipeline/contracts';
import { JobSort, type ListJobsRequestSchema } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { JOB_PRIORITY_VALUE, JOB_STATE_VALUE } from '@esl-pipeline/contracts/http/job-words';
import { instant } from '../instant.ts';

const SORT: Readonly<Record<NonNullable<ListJobsQuery['sort']>, JobSort>> = {
  '-createdAt': JobSort.CREATED_DESC,
  createdAt: JobSort.CREATED_ASC,
  '-updatedAt': JobSort.UPDATED_DESC,
  updatedAt: JobSort.UPDATED_ASC,
};

/** What a query of a list of jobs asks the jobs service for. */
export const listRequest = (
  query: ListJobsQuery,
  scope: NonNullable<MessageInitShape<typeof ListJobsRequestSchema>['scope']>,
  defaultLimit: number,
): MessageInitShape<typeof ListJobsRequestSchema> => ({
  ...said({
    sort: query.sort && SORT[query.sort],
    pageToken: query.cursor,
    preset: query.preset,
    mode: query.mode,
    notionDatabase: query.notionDatabase,
    parentJobId: query.parentJobId,
    batchId: query.batchId,
    priority: query.priority && JOB_PRIORITY_VALUE[query.priority],
    query: query.q,
    createdFrom: instant(query.createdFrom),
    createdTo: instant(query.createdTo),
    finishedFrom: instant(query.finishedFrom),
    finishedTo: instant(query.finishedTo),
    hasError: query.hasError,
  }),
  scope,
  pageSize: query.limit ?? defaultLimit,
  states: (query.state ?? []).map((state) => JOB_STATE_VALUE[state]),
});
