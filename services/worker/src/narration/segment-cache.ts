import { type BlobStore, sha256 } from '@esl/kit/blob-store';

/** Everything that decides how a segment sounds. Equal requests have equal audio, whoever makes it and when. */
export type SpeechRequest = {
  readonly engine: string;
  /** Changes when the same request begins to sound different. */
  readonly engineVersion: string;
  readonly model: string;
  readonly voice: string;
  readonly language: string;
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
  readonly format: `pcm_${number}`;
  /** Exactly what is sent to the engine. */
  readonly text: string;
};

export type SegmentCache = {
  /** Null when the audio is not there, or is not what was written. */
  readonly read: (key: string, signal: AbortSignal) => Promise<Int16Array | null>;
  readonly write: (key: string, samples: Int16Array, signal: AbortSignal) => Promise<void>;
};

const sorted = (record: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

export const segmentKey = (request: SpeechRequest): string => {
  const hash = sha256(JSON.stringify(sorted({ ...request, settings: sorted(request.settings) })));
  return `speech/${hash.slice(0, 2)}/${hash}.pcm`;
};

const HASH_BYTES = 32;

/** Segments in a blob store: the sha256 of the samples, then the samples, 16-bit little-endian. */
export const segmentCache = (blobs: Pick<BlobStore, 'get' | 'put'>): SegmentCache => ({
  read: async (key, signal) => {
    const stored = await blobs.get(key, signal);
    if (!stored || stored.length < HASH_BYTES || stored.length % 2 !== 0) return null;
    const payload = new Uint8Array(stored.subarray(HASH_BYTES)); // a copy, aligned for samples
    const isIntact = Buffer.from(sha256(payload), 'hex').equals(stored.subarray(0, HASH_BYTES));
    return isIntact ? new Int16Array(payload.buffer) : null;
  },
  write: async (key, samples, signal) => {
    const payload = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
    const body = Buffer.concat([Buffer.from(sha256(payload), 'hex'), payload]);
    await blobs.put(key, body, { contentType: 'application/octet-stream' }, signal);
  },
});
