import type { LessonType } from './file-label.ts';

/** A lesson that a user has sent. `md` is what jobs name it by; the label is only shown. */
export type Upload = {
  readonly id: string;
  readonly ownerId: string;
  readonly md: string;
  readonly blobKey: string;
  readonly label: string;
  readonly originalName: string;
  readonly type: LessonType;
  readonly bytes: number;
  readonly uploadedAt: Date;
};

export type UploadStore = {
  /** Refuses what would bring its owner above `quotaBytes`, all uploads together. */
  readonly add: (upload: Upload, quotaBytes: number) => Promise<'added' | 'over_quota'>;
  readonly byId: (ownerId: string, id: string) => Promise<Upload | null>;
  /** Newest first. */
  readonly list: (
    ownerId: string,
    page: { readonly after: string | null; readonly limit: number },
  ) => Promise<{ readonly uploads: readonly Upload[]; readonly total: number }>;
  readonly remove: (ownerId: string, id: string) => Promise<Upload | null>;
  /** The blob key of what a job names, if it is its owner's. */
  readonly keyOf: (wish: { readonly ownerId: string; readonly md: string }) => Promise<string | null>;
};
