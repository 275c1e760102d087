import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import type { BatchItemProblem, SubmitJob } from '@esl-pipeline/contracts';
import { type LessonSource, mdNotFound, type NewJob } from './submit-job.ts';

/** Lessons looked for together. */
const LOOKUPS_AT_ONCE = 32;

export type NewBatch = {
  readonly id: string;
  readonly ownerId: string;
  readonly name: string | undefined;
  readonly jobs: readonly NewJob[];
};

/** Resolves when the batch and all of its jobs are stored for good. */
export type CreateBatch = (batch: NewBatch) => Promise<unknown>;

/** Each lesson is looked for once, however many items name it. */
const findAll = async (items: readonly SubmitJob[], ownerId: string, find: LessonSource) => {
  const wanted = [...new Set(items.map(({ md }) => md))];
  const keys = new Map<string, string | null>();
  for (let few = wanted.splice(0, LOOKUPS_AT_ONCE); few.length > 0; few = wanted.splice(0, LOOKUPS_AT_ONCE))
    await Promise.all(few.map(async (md) => keys.set(md, await find(md, ownerId))));
  return keys;
};

/** Accepts lessons for processing together, all of them or none. */
export const submitBatch =
  ({ findLesson, create }: { readonly findLesson: LessonSource; readonly create: CreateBatch }) =>
  async (
    newId: () => string,
    ownerId: string,
    { name, items }: { readonly name: string | undefined; readonly items: readonly SubmitJob[] },
  ): Promise<Outcome<{ readonly batchId: string; readonly jobIds: readonly string[] }, 'invalid_batch'>> => {
    const keys = await findAll(items, ownerId, findLesson);
    const missing = items.flatMap(({ md }, index): BatchItemProblem[] => {
      if (keys.get(md)) return [];
      const { code, message } = mdNotFound().refusal;
      return [{ index, code, issues: [{ path: 'md', message }] }];
    });
    if (missing.length > 0)
      return refuse('invalid_batch', 'There is no lesson under the "md" of some items.', { items: missing });
    const id = newId();
    const jobs = items.map((wish) => ({ id: newId(), ownerId, wish, lessonKey: keys.get(wish.md) ?? '' }));
    await create({ id, ownerId, name, jobs });
    return accept({ batchId: id, jobIds: jobs.map((job) => job.id) });
  };
