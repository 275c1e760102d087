import { type BlobStore, sha256 } from '@esl/kit/blob-store';
import { type ParsedLesson, parseLesson } from '../lesson/lesson.ts';
import { final } from './run-error.ts';

export type StoredLesson = ParsedLesson & { readonly mdHash: string };

/** Reads and parses a stored lesson. Throws final `lesson_not_found`. */
export const readLesson = async (
  blobs: BlobStore,
  key: string,
  signal: AbortSignal,
): Promise<StoredLesson> => {
  const bytes = await blobs.get(key, signal);
  if (!bytes)
    throw final('lesson_not_found', 'The lesson’s text is no longer stored. Please submit it again.');
  return { ...parseLesson(new TextDecoder().decode(bytes)), mdHash: sha256(bytes) };
};
