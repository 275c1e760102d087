import type { DescMessage } from '@bufbuild/protobuf';
import { AccountChangedSchema } from '../gen/esl/events/v1/account_events_pb.ts';
import { BatchFinishedSchema, BatchUpdatedSchema } from '../gen/esl/events/v1/batch_events_pb.ts';
import { ConfigChangedSchema } from '../gen/esl/events/v1/config_events_pb.ts';
import {
  JobCreatedSchema,
  JobProgressedSchema,
  JobStateChangedSchema,
  JobUpdatedSchema,
} from '../gen/esl/events/v1/job_events_pb.ts';
import {
  RunCancelledSchema,
  RunFailedSchema,
  RunPurgedSchema,
  RunRefreshedSchema,
  RunSteppedSchema,
  RunSucceededSchema,
} from '../gen/esl/events/v1/run_events_pb.ts';
import {
  CancelRequestedSchema,
  PurgeRequestedSchema,
  RefreshRequestedSchema,
  RunRequestedSchema,
} from '../gen/esl/events/v1/work_pb.ts';

/** What is kept of a stream, and for how long. Replicas and limits of size come from the environment. */
export type StreamSpec = {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly description: string;
  /** `facts` are kept until they are old, `work` until it is acknowledged. */
  readonly retention: 'facts' | 'work';
  /** 0 keeps for ever. */
  readonly maxAgeMs: number;
  /** How long a repeated Nats-Msg-Id is dropped. */
  readonly duplicateWindowMs: number;
  /** Refuse a second message on a subject that still holds one. */
  readonly onePerSubject?: boolean;
  /** A new message takes the place of the last on its subject. */
  readonly lastPerSubject?: boolean;
};

/**
 * A durable consumer. It shares a stream of `work` with others whose filters do not overlap with its own; on a stream of
 * `facts` each consumer sees everything that is still kept.
 */
export type ConsumerSpec = {
  readonly stream: string;
  readonly durable: string;
  readonly filter: string;
  /** How long a delivered message may stay silent before another replica gets it. */
  readonly ackWaitMs: number;
  readonly maxAckPending: number;
};

const DAY_MS = 86_400_000;

/** Every stream of the system. */
export const STREAMS = {
  JOBS: {
    name: 'JOBS',
    subjects: ['job.>'],
    description: 'Facts about jobs: live and replayed to whoever watches.',
    retention: 'facts',
    maxAgeMs: 7 * DAY_MS,
    duplicateWindowMs: 120_000,
  },
  WORK: {
    name: 'WORK',
    subjects: ['work.run.>', 'work.refresh.>', 'work.purge.>'],
    description: 'What workers have to do, one message per job.',
    retention: 'work',
    maxAgeMs: 0,
    duplicateWindowMs: 100,
    onePerSubject: true,
  },
  RUNS: {
    name: 'RUNS',
    subjects: ['run.>'],
    description: 'What workers report about their runs.',
    retention: 'work',
    maxAgeMs: 0,
    duplicateWindowMs: 120_000,
  },
  DEAD: {
    name: 'DEAD',
    subjects: ['dead.>'],
    description: 'Messages that could not be handled, with the reason.',
    retention: 'facts',
    maxAgeMs: 30 * DAY_MS,
    duplicateWindowMs: 120_000,
  },
  THROTTLE: {
    name: 'THROTTLE',
    subjects: ['throttle.>'],
    description: 'How much of an outside service is used up, by account. Losing it costs a burst.',
    retention: 'facts',
    maxAgeMs: 3_600_000,
    duplicateWindowMs: 100,
    lastPerSubject: true,
  },
} as const satisfies Record<string, StreamSpec>;

/** Every durable consumer of the system. */
export const CONSUMERS = {
  runReports: { stream: 'RUNS', durable: 'jobs', filter: 'run.>', ackWaitMs: 30_000, maxAckPending: 1_000 },
  workHigh: {
    stream: 'WORK',
    durable: 'workers-high',
    filter: 'work.run.high.*',
    ackWaitMs: 30_000,
    maxAckPending: 10_000,
  },
  workNormal: {
    stream: 'WORK',
    durable: 'workers-normal',
    filter: 'work.run.normal.*',
    ackWaitMs: 30_000,
    maxAckPending: 10_000,
  },
  workLow: {
    stream: 'WORK',
    durable: 'workers-low',
    filter: 'work.run.low.*',
    ackWaitMs: 30_000,
    maxAckPending: 10_000,
  },
  workRefresh: {
    stream: 'WORK',
    durable: 'workers-refresh',
    filter: 'work.refresh.*',
    ackWaitMs: 30_000,
    maxAckPending: 10_000,
  },
  webhooks: {
    stream: 'JOBS',
    durable: 'webhooks',
    filter: 'job.>',
    ackWaitMs: 10_000,
    maxAckPending: 1_000,
  },
  workPurge: {
    stream: 'WORK',
    durable: 'workers-purge',
    filter: 'work.purge.*',
    ackWaitMs: 30_000,
    maxAckPending: 10_000,
  },
} as const satisfies Record<string, ConsumerSpec>;

/** One kind of message: where it goes and what it is. `*` in the subject stands for the job's or batch's id. */
export type Channel<Desc extends DescMessage = DescMessage> = {
  readonly subject: (id: string) => string;
  readonly schema: Desc;
  /** Unset: core NATS, not stored. */
  readonly stream?: string;
};

const channel = <Desc extends DescMessage>(
  schema: Desc,
  subject: (id: string) => string,
  stream?: keyof typeof STREAMS,
): Channel<Desc> => ({ schema, subject, ...(stream && { stream }) });

export type WorkPriority = 'high' | 'normal' | 'low';

/** Every message of the system. */
export const CHANNELS = {
  jobCreated: channel(JobCreatedSchema, (id) => `job.created.${id}`, 'JOBS'),
  jobStateChanged: channel(JobStateChangedSchema, (id) => `job.state_changed.${id}`, 'JOBS'),
  jobProgressed: channel(JobProgressedSchema, (id) => `job.progress.${id}`, 'JOBS'),
  jobUpdated: channel(JobUpdatedSchema, (id) => `job.updated.${id}`, 'JOBS'),
  batchUpdated: channel(BatchUpdatedSchema, (id) => `job.batch_updated.${id}`, 'JOBS'),
  batchFinished: channel(BatchFinishedSchema, (id) => `job.batch_finished.${id}`, 'JOBS'),
  runHigh: channel(RunRequestedSchema, (id) => `work.run.high.${id}`, 'WORK'),
  runNormal: channel(RunRequestedSchema, (id) => `work.run.normal.${id}`, 'WORK'),
  runLow: channel(RunRequestedSchema, (id) => `work.run.low.${id}`, 'WORK'),
  refresh: channel(RefreshRequestedSchema, (id) => `work.refresh.${id}`, 'WORK'),
  purge: channel(PurgeRequestedSchema, (id) => `work.purge.${id}`, 'WORK'),
  cancel: channel(CancelRequestedSchema, (id) => `work.cancel.${id}`),
  runStepped: channel(RunSteppedSchema, (id) => `run.step.${id}`, 'RUNS'),
  runSucceeded: channel(RunSucceededSchema, (id) => `run.succeeded.${id}`, 'RUNS'),
  runFailed: channel(RunFailedSchema, (id) => `run.failed.${id}`, 'RUNS'),
  runCancelled: channel(RunCancelledSchema, (id) => `run.cancelled.${id}`, 'RUNS'),
  runRefreshed: channel(RunRefreshedSchema, (id) => `run.refreshed.${id}`, 'RUNS'),
  runPurged: channel(RunPurgedSchema, (id) => `run.purged.${id}`, 'RUNS'),
  configChanged: channel(ConfigChangedSchema, () => 'config.changed'),
  accountChanged: channel(AccountChangedSchema, (id) => `account.changed.${id}`),
} as const;

/** Header with the full protobuf name of the payload, such as `esl.events.v1.JobCreated`. */
export const SCHEMA_HEADER = 'Esl-Schema';
