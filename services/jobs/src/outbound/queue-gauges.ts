import type { Bus } from '@esl/kit/bus';
import { gauge, readOnScrape } from '@esl/kit/metrics';
import { CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import type { Filter } from 'mongodb';
import type { JobDocument, JobsCollection } from './job-documents.ts';

const PER_CONSUMER = ['stream', 'consumer'] as const;
const pending = gauge('esl_consumer_pending', 'Messages not yet delivered to a consumer', PER_CONSUMER);
const unacknowledged = gauge(
  'esl_consumer_unacknowledged',
  'Messages delivered to a consumer and not yet settled',
  PER_CONSUMER,
);
const stored = gauge('esl_stream_messages', 'Messages that a stream holds', ['stream']);
const bytes = gauge('esl_stream_bytes', 'Bytes that a stream holds', ['stream']);
const live = gauge('esl_jobs', 'Jobs that have not come to an end; scheduled ones wait for their time', [
  'state',
]);
const oldestQueued = gauge('esl_oldest_queued_seconds', 'Age of the oldest queued job; 0 when none waits');
const oldestUnsent = gauge(
  'esl_outbox_oldest_seconds',
  'How long the oldest change whose messages are still in the outbox has been stored; 0 when there is none',
);

/** How long the database may take over one answer, in ms: less than a scrape waits. */
const MONGO_MS = 1_500;

const ageSeconds = (since: Date | undefined): number =>
  since ? Math.max(Date.now() - since.getTime(), 0) / 1_000 : 0;

const readStreams = async ({ jsm }: Bus): Promise<void> => {
  for (const each of [pending, unacknowledged, stored, bytes]) each.reset();
  for (const { name } of Object.values(STREAMS)) {
    const { state } = await jsm.streams.info(name);
    stored.set({ stream: name }, state.messages);
    bytes.set({ stream: name }, state.bytes);
  }
  for (const { stream, durable } of Object.values(CONSUMERS)) {
    const { num_pending, num_ack_pending } = await jsm.consumers.info(stream, durable);
    pending.set({ stream, consumer: durable }, num_pending);
    unacknowledged.set({ stream, consumer: durable }, num_ack_pending);
  }
};

/** Each question is answered from a partial index that holds live jobs only, however many have ended. */
const readJobs = async (jobs: JobsCollection): Promise<void> => {
  for (const each of [live, oldestQueued, oldestUnsent]) each.reset();
  const options = { maxTimeMS: MONGO_MS };
  const now = new Date();
  const waitsForItsTime = { state: 'queued', isDispatched: false, dispatchAt: { $gt: now } } as const;
  const isDue: Filter<JobDocument> = { state: 'queued', $or: [{ runAt: null }, { runAt: { $lte: now } }] };
  const [queued, scheduled, running, first, unsent] = await Promise.all([
    jobs.countDocuments({ state: 'queued' }, { ...options, hint: 'due' }),
    jobs.countDocuments(waitsForItsTime, { ...options, hint: 'due' }),
    jobs.countDocuments({ state: 'running' }, { ...options, hint: 'lease' }),
    jobs
      .find(isDue, { ...options, hint: 'due', projection: { createdAt: 1 } })
      .sort({ createdAt: 1 })
      .limit(1)
      .next(),
    jobs
      .find({ 'outbox.0': { $exists: true } }, { ...options, hint: 'outbox', projection: { updatedAt: 1 } })
      .sort({ updatedAt: 1 })
      .limit(1)
      .next(),
  ]);
  live.set({ state: 'queued' }, queued - scheduled);
  live.set({ state: 'scheduled' }, scheduled);
  live.set({ state: 'running' }, running);
  oldestQueued.set(ageSeconds(first?.createdAt));
  oldestUnsent.set(ageSeconds(unsent?.updatedAt));
};

/** Measures queues and outbox when somebody scrapes. Every replica tells the same: take the maximum. */
export const measureQueues = (bus: Bus, jobs: JobsCollection): (() => void) => {
  const ends = [readOnScrape(() => readStreams(bus)), readOnScrape(() => readJobs(jobs))];
  return () => {
    for (const end of ends) end();
  };
};
