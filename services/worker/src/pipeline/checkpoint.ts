import { type BlobStore, sha256 } from '@esl/kit/blob-store';
import { z } from 'zod';
import { type Page, pageSchema } from '../publisher/publisher.ts';
import { asShown, pageAudioSchema, readPageState, stepEntrySchema } from './page-state.ts';
import type { RunJob } from './run.ts';

// The manifest of a job, and its checkpoint: what was done, with the hash of what it was done from.
//   K1. A step whose input hash is unchanged is not repeated, whoever runs the job next.
//   K2. A rerun starts from its parent's manifest and writes its own; the parent's is never changed by it. The page
//       they share it finds as it is now, which another rerun may have changed.
//   K3. Fields this version does not know are kept.
//   K4. An unreadable checkpoint counts as none: then work is repeated, and lands in the same places.

const manifestSchema = z.looseObject({
  schemaVersion: z.literal(1).default(1),
  steps: z.record(z.string(), stepEntrySchema).default({}),
  /** The job that made the page first; its reruns and retries publish the same lesson. */
  lessonId: z.string().optional(),
  pageId: z.string().optional(),
  /** Absent until there is a narration. */
  audio: pageAudioSchema.optional(),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** The page as it was published last. */
export const pageOf = ({ steps }: Manifest): Page | null =>
  pageSchema.safeParse(steps.import?.output).data ?? null;

/** The lesson that a job publishes, or publishes again. */
export const lessonIdOf = (
  { lessonId }: Pick<Manifest, 'lessonId'>,
  { id, parentJobId }: Pick<RunJob, 'id' | 'parentJobId'>,
): string => lessonId ?? parentJobId ?? id;

export const MANIFEST_TYPE = 'application/json';

export const manifestKey = (jobId: string): string => `manifests/${jobId}.json`;

/** Equal for equal inputs; keys are written in a fixed order by whoever calls. */
export const hashOf = (inputs: Readonly<Record<string, unknown>>): string => sha256(JSON.stringify(inputs));

export const readManifest = async (
  blobs: BlobStore,
  jobId: string,
  signal: AbortSignal,
): Promise<Manifest | null> => {
  const stored = await blobs.get(manifestKey(jobId), signal);
  if (!stored) return null;
  try {
    return manifestSchema.parse(JSON.parse(Buffer.from(stored).toString('utf8')));
  } catch {
    return null;
  }
};

export const writeManifest = async (
  blobs: BlobStore,
  jobId: string,
  manifest: Manifest,
  { mayBeLost, signal }: { readonly mayBeLost: boolean; readonly signal: AbortSignal },
) => {
  const body = Buffer.from(JSON.stringify(manifest, null, 2));
  await blobs.put(manifestKey(jobId), body, { contentType: MANIFEST_TYPE, mayBeLost }, signal);
  return { key: manifestKey(jobId), bytes: body.byteLength, sha256: sha256(body) };
};

export type Checkpoint = {
  readonly manifest: () => Manifest;
  /** The result of an earlier run of the step, while its inputs are the same. */
  readonly kept: <T>(step: string, inputHash: string, schema: z.ZodType<T>) => T | null;
  readonly record: (step: string, inputHash: string, output: unknown) => void;
  readonly update: (fields: Readonly<Record<string, unknown>>) => void;
  /** Stores what is known now. `mayBeLost` fits all but the last time: what is lost is only repeated. */
  readonly write: (options: {
    readonly mayBeLost: boolean;
    readonly signal: AbortSignal;
  }) => ReturnType<typeof writeManifest>;
};

const opening = async (blobs: BlobStore, job: RunJob, signal: AbortSignal): Promise<Manifest> => {
  const own = job.attempt > 1 ? await readManifest(blobs, job.id, signal) : null;
  const start = own ?? (job.parentJobId && (await readManifest(blobs, job.parentJobId, signal)));
  if (!start) return { schemaVersion: 1, steps: {} };
  if (!job.parentJobId) return start;
  return asShown(start, await readPageState(blobs, lessonIdOf(start, job), signal));
};

export const openCheckpoint = async (
  blobs: BlobStore,
  job: RunJob,
  signal: AbortSignal,
): Promise<Checkpoint> => {
  let manifest = await opening(blobs, job, signal);
  let writing: Promise<unknown> = Promise.resolve();
  return {
    manifest: () => manifest,
    kept: (step, inputHash, schema) => {
      const entry = manifest.steps[step];
      if (entry?.inputHash !== inputHash) return null;
      return schema.safeParse(entry.output).data ?? null;
    },
    record: (step, inputHash, output) => {
      manifest = { ...manifest, steps: { ...manifest.steps, [step]: { inputHash, output } } };
    },
    update: (fields) => {
      manifest = { ...manifest, ...fields };
    },
    write: (options) => {
      const write = () => writeManifest(blobs, job.id, manifest, options);
      const written = writing.then(write, write);
      writing = written.catch(() => {});
      return written;
    },
  };
};
