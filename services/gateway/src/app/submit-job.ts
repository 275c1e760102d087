import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import type { SubmitJob } from '@esl-pipeline/contracts';

/** Makes sure of an owner's lesson: the blob key of its text as it is now, or null when there is no such lesson. */
export type LessonSource = (reference: string, ownerId: string) => Promise<string | null>;

export type NewJob = {
  readonly id: string;
  readonly ownerId: string;
  readonly wish: SubmitJob;
  /** Where the lesson's text lies, as it is now. */
  readonly lessonKey: string;
};

/** Resolves when the job is stored for good. */
export type CreateJob = (job: NewJob) => Promise<unknown>;

export const mdNotFound = () => refuse('md_not_found', 'There is no lesson under this "md".');

/** Accepts a lesson for processing. A client that hangs up meanwhile still gets its job. */
export const submitJob =
  ({ findLesson, create }: { readonly findLesson: LessonSource; readonly create: CreateJob }) =>
  async (
    id: string,
    ownerId: string,
    wish: SubmitJob,
  ): Promise<Outcome<{ readonly jobId: string }, 'md_not_found'>> => {
    const lessonKey = await findLesson(wish.md, ownerId);
    if (lessonKey === null) return mdNotFound();
    await create({ id, ownerId, wish, lessonKey });
    return accept({ jobId: id });
  };
