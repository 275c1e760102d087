import type { BlobLink } from '@esl/kit/blob-store';
import { z } from 'zod';
import type { Lesson } from '../lesson/lesson.ts';
import type { PresetColours } from '../pipeline/settings.ts';

export const pageSchema = z.object({
  /** Who made it. Another publisher knows nothing of it. */
  publisher: z.string().default('local'),
  /** What the publisher knows the page by. */
  id: z.string(),
  /** Blob key, when it lies in the blob store; otherwise `url` says where it is. */
  key: z.string().nullable(),
  url: z.string().nullable(),
  contentType: z.string(),
  bytes: z.number(),
  /** Of all it was made from; the same hash, the same page. */
  sha256: z.string(),
  /** The same without colours, where the publisher can change them alone. */
  wordsSha256: z.string().optional(),
  /** Where pages are made of blocks: the one that plays the narration, the hash of what it plays, and how long it can. */
  audio: z
    .object({ blockId: z.string(), sha256: z.string(), linkEndsAt: z.iso.datetime().optional() })
    .optional(),
});

/** A published lesson. */
export type Page = z.infer<typeof pageSchema>;

/** Whether a page plays from a link that has ended, or soon will. */
export const fallsSilent = ({ audio }: Page, now: Date): boolean =>
  audio?.linkEndsAt !== undefined && Date.parse(audio.linkEndsAt) < now.getTime() + 3_600_000;

/** Something the user should know that does not stop the job. */
export type Notice = { readonly code: string; readonly message: string };

export type PublishRequest = {
  /** Names the lesson's page for good: the id of the job that made it first. */
  readonly lessonId: string;
  /** The page to make anew; null makes one. */
  readonly previous: Page | null;
  /** An earlier attempt may have made the page, and not lived to say so. */
  readonly isRepeat: boolean;
  readonly lesson: Lesson;
  readonly colours: PresetColours;
  readonly database: string | null;
  readonly warn: (notice: Notice) => void;
};

export type PageSound = {
  readonly sha256: string;
  readonly mp3: Uint8Array;
  /** Where anyone may fetch it; null when only the bytes are at hand. */
  readonly link: BlobLink | null;
  readonly durationMs: number;
  readonly cast: readonly { readonly speaker: string; readonly voiceName: string }[];
};

/** Where lessons become pages. Publishing twice with the same request makes one page. */
export type Publisher = {
  readonly name: string;
  /** What a user should know about where pages go. */
  readonly notice: Notice | null;
  /**
   * `sound` is put beside the study text, in place of any there is; null leaves the page as silent, or as loud, as it
   * was on publishers that change pages in place.
   */
  readonly publish: (request: PublishRequest, sound: PageSound | null, signal: AbortSignal) => Promise<Page>;
  readonly exists: (page: Page, signal: AbortSignal) => Promise<boolean>;
};
