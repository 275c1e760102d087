import type { BlobStore } from '@esl/kit/blob-store';
import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { v7 as uuidv7 } from 'uuid';
import type { LessonFault, SentFile } from '../uploads/check-lesson.ts';
import type { LessonChecker } from '../uploads/lesson-checker.ts';
import type { Upload, UploadStore } from '../uploads/upload.ts';

/** Keeps a lesson that its owner has sent: first its text, then the record that makes it exist. */
export const keepUpload =
  ({
    check,
    uploads,
    blobs,
    quotaBytes,
    clock,
  }: {
    readonly check: LessonChecker['check'];
    readonly uploads: Pick<UploadStore, 'add'>;
    readonly blobs: Pick<BlobStore, 'put' | 'delete'>;
    readonly quotaBytes: number;
    readonly clock: () => Date;
  }) =>
  async (
    ownerId: string,
    file: SentFile,
    signal: AbortSignal,
  ): Promise<
    Outcome<{ readonly upload: Upload; readonly warnings: readonly string[] }, LessonFault | 'quota_exceeded'>
  > => {
    const checked = await check(file, signal);
    if (!checked.ok) return checked;
    const { label, originalName, type, warnings } = checked.value;
    const id = uuidv7();
    const upload: Upload = {
      id,
      ownerId,
      md: `uploads/${id}/${label}`,
      blobKey: `lessons/${ownerId}/${id}.md`,
      label,
      originalName,
      type,
      bytes: file.bytes.length,
      uploadedAt: clock(),
    };
    await blobs.put(upload.blobKey, file.bytes, { contentType: type }, signal);
    try {
      if ((await uploads.add(upload, quotaBytes)) === 'added') return accept({ upload, warnings });
    } catch (error) {
      await blobs.delete(upload.blobKey, AbortSignal.timeout(5_000));
      throw error;
    }
    await blobs.delete(upload.blobKey, AbortSignal.timeout(5_000));
    return refuse('quota_exceeded', 'There is no room left for this file: delete others first.');
  };
