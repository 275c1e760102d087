import type { BlobLink } from '@esl/kit/blob-store';
import { z } from 'zod';
import type { Lesson } from '../lesson/lesson.ts';
import type { PresetColours } from '../pipeline/settings.ts';

export const pageSchema = z.object({
  /** What the publisher knows the page by. */
  id: z.string(),
  /** Blob key, when it lies in the blob store; otherwise `url` says where it is. */
  key: z.string().nullable(),
  url: z.string().nullable(),
  contentType: z.string(),
  bytes: z.number(),
  sha256: z.string(),
});

/** A published lesson. */
export type Page = z.infer<typeof pageSchema>;

export type PublishRequest = {
  readonly jobId: string;
  /** The page to make anew; null makes one. */
  readonly pageId: string | null;
  readonly lesson: Lesson;
  readonly colours: PresetColours;
  readonly database: string | null;
};

export type PageSound = {
  readonly mp3: Uint8Array;
  /** Where anyone may fetch it; null when only the bytes are at hand. */
  readonly link: BlobLink | null;
  readonly durationMs: number;
  readonly cast: readonly { readonly speaker: string; readonly voiceName: string }[];
};

/** Where lessons become pages. Publishing twice with the same request makes one page. */
export type Publisher = {
  readonly name: string;
  /** Whether its pages play a sound's link, when there is one, and not a copy of the sound. */
  readonly playsFromLink: boolean;
  /** What a user should know about where pages go. */
  readonly notice: { readonly code: string; readonly message: string } | null;
  /** `sound` is put beside the study text, in place of any there is. */
  readonly publish: (request: PublishRequest, sound: PageSound | null, signal: AbortSignal) => Promise<Page>;
  readonly exists: (pageId: string, signal: AbortSignal) => Promise<boolean>;
};
