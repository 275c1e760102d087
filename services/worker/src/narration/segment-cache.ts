import { type BlobStore, sha256 } from '@esl/kit/blob-store';
import { z } from 'zod';
import type { Speech, SpeechRequest } from './speech.ts';

/** Speech as it is kept, with the job it was first made for and what that cost. */
export type CachedSpeech = Speech & {
  readonly jobId: string;
  /** Code points that a paid provider counted for it. */
  readonly billed: number;
  /** The provider's name for the request, for questions to its support. */
  readonly requestId: string | null;
};

export type SegmentCache = {
  /** Null when the speech is not there, or is not what was written. */
  readonly read: (key: string, signal: AbortSignal) => Promise<CachedSpeech | null>;
  readonly write: (key: string, speech: CachedSpeech, signal: AbortSignal) => Promise<void>;
};

/** Of the stored form; part of each key, so that a worker never meets a form it does not know. */
const LAYOUT = 2;

const sorted = (record: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

export const segmentKey = (request: SpeechRequest): string => {
  const { settings, turns } = request;
  const what = { ...request, layout: LAYOUT, settings: sorted(settings), turns: turns.map(sorted) };
  const hash = sha256(JSON.stringify(sorted(what)));
  return `speech/${hash.slice(0, 2)}/${hash}.pcm`;
};

const HASH_BYTES = 32;
const LENGTH_BYTES = 4;

const notesSchema = z.object({
  jobId: z.string(),
  billed: z.number(),
  requestId: z.string().nullable(),
  turns: z.array(
    z.object({
      startMs: z.number(),
      endMs: z.number(),
      words: z.array(z.object({ text: z.string(), startMs: z.number(), endMs: z.number() })),
    }),
  ),
});

const parseNotes = (text: string) => {
  try {
    return notesSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
};

/**
 * Speech in a blob store: the sha256 of the rest, the length of the notes (32 bits, little-endian), the notes as JSON
 * of an even length, then the samples, 16-bit little-endian. One object, so that sound and bill are never apart.
 */
export const segmentCache = (blobs: Pick<BlobStore, 'get' | 'put'>): SegmentCache => ({
  read: async (key, signal) => {
    const stored = await blobs.get(key, signal);
    if (!stored || stored.length < HASH_BYTES + LENGTH_BYTES || stored.length % 2 !== 0) return null;
    const payload = Buffer.from(stored.subarray(HASH_BYTES));
    if (!Buffer.from(sha256(payload), 'hex').equals(stored.subarray(0, HASH_BYTES))) return null;
    const from = LENGTH_BYTES + payload.readUInt32LE(0);
    const notes = parseNotes(payload.toString('utf8', LENGTH_BYTES, from));
    const audio = new Uint8Array(payload.subarray(from)); // a copy, aligned for samples
    return notes && { ...notes, samples: new Int16Array(audio.buffer) };
  },
  write: async (key, { samples, ...notes }, signal) => {
    const text = Buffer.from(JSON.stringify(notes));
    const even = Buffer.concat([text, Buffer.from(' ')]).subarray(0, text.length + (text.length % 2));
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(even.length);
    const audio = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
    const payload = Buffer.concat([length, even, audio]);
    const body = Buffer.concat([Buffer.from(sha256(payload), 'hex'), payload]);
    await blobs.put(key, body, { contentType: 'application/octet-stream' }, signal);
  },
});
