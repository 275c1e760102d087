import { type BlobStore, sha256 } from '@esl/kit/blob-store';
import { z } from 'zod';
import type { Manifest } from './checkpoint.ts';

// What a lesson's page shows now. A rerun changes the page that its parent made, but not its parent's manifest (K2), so
// once there are reruns no manifest knows it. A page that only one job has made needs no record: it is as that job's
// manifest says.

/** What a step did, and the hash of what it did it from. */
export const stepEntrySchema = z.looseObject({ inputHash: z.string(), output: z.unknown() });

/** A narration that a page can play; `onPage` once it does. */
export const pageAudioSchema = z.looseObject({
  path: z.string(),
  hash: z.string(),
  durationMs: z.number().default(0),
  voices: z.array(z.looseObject({ speaker: z.string(), voiceName: z.string() })).default([]),
  onPage: z.boolean().default(false),
});

const pageStateSchema = z.looseObject({
  /** The steps that make it, as they were done last. */
  steps: z.record(z.string(), stepEntrySchema),
  audio: pageAudioSchema.optional(),
});
export type PageState = z.infer<typeof pageStateSchema>;

const keyOf = (lessonId: string): string => {
  const name = sha256(`page-state:${lessonId}`).slice(0, 40);
  return `page-states/${name.slice(0, 2)}/${name}.json`;
};

/** Null when no rerun has touched the page, or its record cannot be read: then the manifest holds. */
export const readPageState = async (
  blobs: BlobStore,
  lessonId: string,
  signal: AbortSignal,
): Promise<PageState | null> => {
  const stored = await blobs.get(keyOf(lessonId), signal);
  if (!stored) return null;
  try {
    return pageStateSchema.parse(JSON.parse(Buffer.from(stored).toString('utf8')));
  } catch {
    return null;
  }
};

export const writePageState = (
  blobs: BlobStore,
  lessonId: string,
  state: PageState,
  signal: AbortSignal,
): Promise<void> => {
  const body = Buffer.from(JSON.stringify(state));
  return blobs.put(keyOf(lessonId), body, { contentType: 'application/json' }, signal);
};

/** A manifest with the page as it is, whoever made it so. */
export const asShown = (manifest: Manifest, state: PageState | null): Manifest => {
  if (!state) return manifest;
  const { steps, audio } = state;
  return { ...manifest, steps: { ...manifest.steps, ...steps }, ...(audio && { audio }) };
};
