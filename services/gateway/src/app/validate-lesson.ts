import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import type { ValidateLesson } from '@esl-pipeline/contracts';
import type { LessonSource } from './submit-job.ts';

/** The text of a stored lesson. */
export type ReadLesson = (key: string, signal: AbortSignal) => Promise<string | null>;

type Lesson = Pick<ValidateLesson, 'text' | 'md'>;

/** The text that a caller wants looked at: its own, or the lesson's that it names. */
export const lessonText =
  ({ findLesson, read }: { readonly findLesson: LessonSource; readonly read: ReadLesson }) =>
  async (
    ownerId: string,
    { text, md }: Lesson,
    signal: AbortSignal,
  ): Promise<Outcome<string, 'md_required' | 'invalid_text' | 'md_not_found'>> => {
    if (text !== undefined && md !== undefined)
      return refuse('invalid_text', 'Send the lesson as "text" or by its "md", not both.');
    if (text !== undefined) return accept(text);
    if (md === undefined) return refuse('md_required', 'Send the lesson as "text", or by its "md".');
    const key = await findLesson(md, ownerId);
    const found = key === null ? null : await read(key, signal);
    return found === null ? refuse('md_not_found', 'There is no lesson under this "md".') : accept(found);
  };
