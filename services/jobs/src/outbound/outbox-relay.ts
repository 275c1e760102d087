// The outbox relay: publishes what a job's document says has already happened.
//   O1. An entry is pulled only after JetStream acknowledged it: at least once, never lost.
//   O2. The event id is the message id: a repeat inside the stream's duplicate window is dropped. The sweep, which
//       may come after that window, reads the job's last fact first and skips what the stream already has.
//   O3. Facts of one job leave in version order; different jobs may overtake each other.

import { fromBinary } from '@bufbuild/protobuf';
import type { Bus } from '@esl/kit/bus';
import type { Log } from '@esl/kit/log';
import { counter } from '@esl/kit/metrics';
import { publishBytes, SCHEMA_HEADER } from '@esl/kit/publish';
import { withContext } from '@esl/kit/request-context';
import { CHANNELS, STREAMS } from '@esl-pipeline/contracts/bus';
import type { JobId } from '../domain/job.ts';
import type { OutboxEntry } from '../wire.ts';
import { type JobsCollection, outboxOf, type Published, recordOf } from './mongo-job-store.ts';

const PULL_EVERY_MS = 1_000;
const MAX_PULLED = 1_000;
/** Entries older than this are taken for left behind by a crash. */
const LEFT_BEHIND_MS = 5_000;
const SWEEP_BATCH = 200;
/** How many acknowledged ids are remembered; a forgotten one is only published once more, and dropped by its id. */
const MAX_ACKED = 10_000;

export type OutboxRelay = {
  readonly send: (jobId: JobId, entries: readonly OutboxEntry[]) => void;
  readonly published: Published;
  /** Publishes what crashed or failed publishers left behind. */
  readonly sweep: (now: Date) => Promise<void>;
  /** Resolves when all that was sent is published and pulled, or has failed and waits for a sweep. */
  readonly flush: () => Promise<void>;
};

const relayed = counter('esl_outbox_published_total', 'Outbox entries by result', ['result']);

const isFact = ({ channel }: OutboxEntry) => CHANNELS[channel].stream === 'JOBS';

export const outboxRelay = (jobs: JobsCollection, bus: Bus, log: Log): OutboxRelay => {
  const acked = new Set<string>();
  const onTheWay = new Set<string>();
  const lastFactOf = new Map<JobId, Promise<void>>();
  const toPull = new Map<JobId, Set<string>>();

  const acknowledge = (jobId: JobId, entryId: string) => {
    acked.add(entryId);
    if (acked.size > MAX_ACKED) for (const oldest of acked) if (acked.delete(oldest)) break;
    const ids = toPull.get(jobId) ?? new Set();
    toPull.set(jobId, ids.add(entryId));
  };

  const publishEntry = async (jobId: JobId, entry: OutboxEntry): Promise<void> => {
    const result = await withContext(entry.origin ?? {}, () =>
      publishBytes(
        bus,
        CHANNELS[entry.channel],
        jobId,
        entry.payload,
        isFact(entry) ? { msgId: entry.id } : {},
      ),
    );
    relayed.inc({ result });
    acknowledge(jobId, entry.id);
  };

  const sendFacts = async (jobId: JobId, facts: readonly OutboxEntry[]): Promise<void> => {
    for (const fact of facts) await publishEntry(jobId, fact);
  };

  const track = (entries: readonly OutboxEntry[], work: Promise<void>): Promise<void> => {
    for (const { id } of entries) onTheWay.add(id);
    return work
      .catch((error: unknown) => {
        relayed.inc({ result: 'failed' });
        log.warn({ err: error, entries: entries.map(({ id }) => id) }, 'outbox entries wait for the sweep');
      })
      .finally(() => {
        for (const { id } of entries) onTheWay.delete(id);
      });
  };

  const send: OutboxRelay['send'] = (jobId, entries) => {
    const fresh = entries.filter(({ id }) => !acked.has(id) && !onTheWay.has(id));
    const facts = fresh.filter(isFact);
    for (const work of fresh.filter((entry) => !isFact(entry))) void track([work], publishEntry(jobId, work));
    if (facts.length === 0) return;
    const before = lastFactOf.get(jobId) ?? Promise.resolve();
    const sent = track(
      facts,
      before.then(() => sendFacts(jobId, facts)),
    );
    lastFactOf.set(jobId, sent);
    void sent.finally(() => lastFactOf.get(jobId) === sent && lastFactOf.delete(jobId));
  };

  const pull = async (): Promise<void> => {
    while (toPull.size > 0) {
      const batch = [...toPull].slice(0, MAX_PULLED);
      const entryIds = batch.flatMap(([, ids]) => [...ids]);
      await jobs.updateMany(
        { _id: { $in: batch.map(([jobId]) => jobId) } },
        { $pull: { outbox: { id: { $in: entryIds } } } },
      );
      for (const [jobId, ids] of batch) if (toPull.get(jobId) === ids) toPull.delete(jobId);
    }
  };
  const pullQuietly = () =>
    pull().catch((error: unknown) => log.warn({ err: error }, 'outbox entries not pulled yet'));
  setInterval(pullQuietly, PULL_EVERY_MS).unref();

  const lastVersionInStream = async (jobId: JobId): Promise<number> => {
    const last = await bus.jsm.direct.getMessage(STREAMS.JOBS.name, { last_by_subj: `job.*.${jobId}` });
    const name = last?.header.get(SCHEMA_HEADER);
    const channel = Object.values(CHANNELS).find(({ schema }) => schema.typeName === name);
    if (!last || !channel) return 0;
    return (fromBinary(channel.schema, last.data) as { version?: number }).version ?? 0;
  };

  const sweepJob = async (jobId: JobId, entries: readonly OutboxEntry[]): Promise<void> => {
    const left = entries.filter(({ id }) => !onTheWay.has(id));
    const known = left.some(isFact) ? await lastVersionInStream(jobId) : 0;
    for (const entry of left) if (isFact(entry) && entry.version <= known) acknowledge(jobId, entry.id);
    for (const { id } of left) if (acked.has(id)) acknowledge(jobId, id);
    send(jobId, left);
  };

  return {
    send,
    published: {
      has: (entryId) => acked.has(entryId),
      dropped: (jobId, entryIds) => {
        const ids = toPull.get(jobId);
        for (const id of entryIds) ids?.delete(id);
        if (ids?.size === 0) toPull.delete(jobId);
      },
    },
    sweep: async (now) => {
      const left = await jobs
        .find({
          'outbox.0': { $exists: true },
          updatedAt: { $lte: new Date(now.getTime() - LEFT_BEHIND_MS) },
        })
        .sort({ updatedAt: 1 })
        .limit(SWEEP_BATCH)
        .toArray();
      await Promise.all(left.map((document) => sweepJob(recordOf(document).id, outboxOf(document))));
    },
    flush: async () => {
      await Promise.all(lastFactOf.values());
      await pull();
    },
  };
};
