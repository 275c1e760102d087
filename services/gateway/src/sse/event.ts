import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { BatchEventType, Job, JobEventType } from '@esl-pipeline/contracts';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import { JobCreatedSchema } from '@esl-pipeline/contracts/esl/events/v1/job_events';
import type * as pb from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { batchEventDto } from '@esl-pipeline/contracts/http/batch-dto';
import { jobEventDto } from '@esl-pipeline/contracts/http/job-dto';

/** The second token of a subject, `job.<kind>.<jobId>`, tells what a message is. */
const KINDS = {
  created: { type: 'job_created', schema: CHANNELS.jobCreated.schema },
  state_changed: { type: 'job_state_changed', schema: CHANNELS.jobStateChanged.schema },
  progress: { type: 'job_progress', schema: CHANNELS.jobProgressed.schema },
  updated: { type: 'job_updated', schema: CHANNELS.jobUpdated.schema },
} as const satisfies Record<string, { type: JobEventType; schema: object }>;

/** Those of batches: `job.<kind>.<batchId>`. Who follows all of its jobs gets them, and who names the batch. */
const BATCH_KINDS = {
  batch_updated: { type: 'batch_updated', schema: CHANNELS.batchUpdated.schema },
  batch_finished: { type: 'batch_finished', schema: CHANNELS.batchFinished.schema },
} as const satisfies Record<string, { type: BatchEventType; schema: object }>;

/** All events keep the owner in the same field. */
const OWNER_FIELD = JobCreatedSchema.field.ownerId.number;

/** Finds the owner without decoding the job: most events of other owners need nothing more. */
const ownerIn = (payload: Uint8Array): string => {
  const reader = new BinaryReader(payload);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === OWNER_FIELD) return reader.string();
    reader.skip(wireType, field);
  }
  return '';
};

/** One message of the stream JOBS. What it says is worked out when someone wants to know, and once. */
export type StreamEvent = {
  readonly seq: number;
  readonly jobId: string;
  /** Of the stored payload. */
  readonly bytes: number;
  readonly ownerId: () => string;
  /** The bytes of the SSE frame. Throws when the message is none that clients know. */
  readonly frame: () => Buffer;
};

export type StoredMessage = { readonly seq: number; readonly subject: string; readonly data: Uint8Array };

export const streamEvent = (
  message: StoredMessage,
  { epoch, toDto }: { readonly epoch: string; readonly toDto: (job: pb.Job) => Job },
): StreamEvent => {
  const { seq } = message;
  const [, kind = '', jobId = ''] = message.subject.split('.');
  // A copy: the client library hands out parts of its receive buffers, which would all be kept.
  const payload = message.data.slice();
  let owner: string | null = null;
  let built: Buffer | null = null;

  const frameOf = (type: string, data: object): Buffer =>
    Buffer.from(`event: ${type}\nid: ${epoch}-${seq}\ndata: ${JSON.stringify(data)}\n\n`);

  const buildBatch = (known: (typeof BATCH_KINDS)[keyof typeof BATCH_KINDS]): Buffer => {
    const { batch } = fromBinary<(typeof BATCH_KINDS)[keyof typeof BATCH_KINDS]['schema']>(
      known.schema,
      payload,
    );
    if (!batch) throw new Error(`event ${seq} without a batch`);
    return frameOf(known.type, batchEventDto(known.type, batch));
  };

  const build = (): Buffer => {
    if (Object.hasOwn(BATCH_KINDS, kind)) return buildBatch(BATCH_KINDS[kind as keyof typeof BATCH_KINDS]);
    const known = Object.hasOwn(KINDS, kind) ? KINDS[kind as keyof typeof KINDS] : null;
    if (!known) throw new Error(`unknown subject ${message.subject}`);
    const { job } = fromBinary<(typeof KINDS)[keyof typeof KINDS]['schema']>(known.schema, payload);
    if (!job) throw new Error(`event ${seq} without a job`);
    return frameOf(known.type, jobEventDto(known.type, toDto(job)));
  };

  return {
    seq,
    jobId,
    bytes: payload.length,
    ownerId: () => {
      owner ??= ownerIn(payload);
      return owner;
    },
    frame: () => {
      built ??= build();
      return built;
    },
  };
};
