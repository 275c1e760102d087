import type { BlobStore } from '@esl/kit/blob-store';
import type { PageSound } from '../publisher/publisher.ts';
import type { Manifest } from './checkpoint.ts';

/** What the page of this manifest plays; null when it is silent, or its audio is gone. */
export const soundOnPage = async (
  { audio }: Manifest,
  blobs: BlobStore,
  signal: AbortSignal,
): Promise<PageSound | null> => {
  if (!audio?.onPage) return null;
  const mp3 = await blobs.get(audio.path, signal);
  if (!mp3) return null;
  const { path: key, hash: sha256, durationMs, voices: cast } = audio;
  const link = await blobs.urlFor(key, signal);
  return { sha256, mp3, link, durationMs, cast };
};
