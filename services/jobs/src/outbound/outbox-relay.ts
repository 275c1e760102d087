// The outbox relay: publishes what a document, a job's or a batch's, says has already happened.
//   O1. An entry is pulled only after JetStream acknowledged it: at least once, never lost.
//   O2. The event id is the message id: a repeat inside the stream's duplicate window is dropped. The sweep, which
//       may come after that window, reads the job's last fact first and skips what the stream already has.
//   O3. Facts of one document leave in version order; different documents may overtake each other.
//   O4. An id waits to be pulled until a write that names it has ended, or the document is known to be without it.

import { fromBinary } from '@bufbuild/protobuf';
import type { Bus } from '@esl/kit/bus';
import type { Log } from '@esl/kit/log';
import { counter } from '@esl/kit/metrics';
import { publishBytes, SCHEMA_HEADER } from '@esl/kit/publish';
import { withContext } from '@esl/kit/request-context';
import { CHANNELS, STREAMS } from '@esl-pipeline/contracts/bus';
import type { Collection } from 'mongodb';
import type { OutboxEntry } from '../wire.ts';
import { outboxOf, type StoredEntry } from './job-documents.ts';
import type { Published } from './mongo-job-store.ts';

const PULL_EVERY_MS = 1_000;
const MAX_PULLED = 1_000;
/** Entries older than this are taken for left behind by a crash. */
const LEFT_BEHIND_MS = 5_000;
const SWEEP_BATCH = 200;
/** How many acknowledged ids are remembered; a forgotten one is only published once more, and dropped by its id. */
const MAX_ACKED = 10_000;

/** A document that carries the messages its writes have caused. */
type WithOutbox = {
  readonly _id: string;
  readonly updatedAt: Date;
  readonly outbox: readonly StoredEntry[];
};

export type OutboxRelay = {
  readonly send: (documentId: string, entries: readonly OutboxEntry[]) => void;
  readonly published: Published;
  /** Publishes what crashed or failed publishers left behind. */
  readonly sweep: (now: Date) => Promise<void>;
  /** Resolves when all that was sent is published and pulled, or has failed and waits for a sweep. */
  readonly flush: () => Promise<void>;
};

const relayed = counter('esl_outbox_published_total', 'Outbox entries by result', ['result']);

const isFact = ({ channel }: OutboxEntry) => CHANNELS[channel].stream === 'JOBS';

export const outboxRelay = <D extends WithOutbox>(
  collection: Collection<D>,
  bus: Bus,
  log: Log,
): OutboxRelay => {
  const documents = collection as unknown as Collection<WithOutbox>;
  const acked = new Set<string>();
  const onTheWay = new Set<string>();
  const lastFactOf = new Map<string, Promise<void>>();
  const toPull = new Map<string, Set<string>>();

  const acknowledge = (documentId: string, entryId: string) => {
    acked.add(entryId);
    if (acked.size > MAX_ACKED) for (const oldest of acked) if (acked.delete(oldest)) break;
    const ids = toPull.get(documentId) ?? new Set();
    toPull.set(documentId, ids.add(entryId));
  };

  const dropped: Published['dropped'] = (documentId, entryIds) => {
    const ids = toPull.get(documentId);
    for (const id of entryIds) ids?.delete(id);
    if (ids?.size === 0) toPull.delete(documentId);
  };

  const publishEntry = async (documentId: string, entry: OutboxEntry): Promise<void> => {
    const result = await withContext(entry.origin ?? {}, () =>
      publishBytes(
        bus,
        CHANNELS[entry.channel],
        documentId,
        entry.payload,
        isFact(entry) ? { msgId: entry.id } : {},
      ),
    );
    relayed.inc({ result });
    acknowledge(documentId, entry.id);
  };

  const sendFacts = async (documentId: string, facts: readonly OutboxEntry[]): Promise<void> => {
    for (const fact of facts) await publishEntry(documentId, fact);
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

  const send: OutboxRelay['send'] = (documentId, entries) => {
    const fresh = entries.filter(({ id }) => !acked.has(id) && !onTheWay.has(id));
    const facts = fresh.filter(isFact);
    for (const work of fresh.filter((entry) => !isFact(entry)))
      void track([work], publishEntry(documentId, work));
    if (facts.length === 0) return;
    const before = lastFactOf.get(documentId) ?? Promise.resolve();
    const sent = track(
      facts,
      before.then(() => sendFacts(documentId, facts)),
    );
    lastFactOf.set(documentId, sent);
    void sent.finally(() => lastFactOf.get(documentId) === sent && lastFactOf.delete(documentId));
  };

  const pull = async (): Promise<void> => {
    while (toPull.size > 0) {
      const batch = [...toPull]
        .slice(0, MAX_PULLED)
        .map(([documentId, ids]) => ({ documentId, entryIds: [...ids] }));
      await documents.updateMany(
        { _id: { $in: batch.map(({ documentId }) => documentId) } },
        { $pull: { outbox: { id: { $in: batch.flatMap(({ entryIds }) => entryIds) } } } },
      );
      for (const { documentId, entryIds } of batch) dropped(documentId, entryIds);
    }
  };
  const pullQuietly = () =>
    pull().catch((error: unknown) => log.warn({ err: error }, 'outbox entries not pulled yet'));
  setInterval(pullQuietly, PULL_EVERY_MS).unref();

  const lastVersionInStream = async (documentId: string): Promise<number> => {
    const last = await bus.jsm.direct.getMessage(STREAMS.JOBS.name, { last_by_subj: `job.*.${documentId}` });
    const name = last?.header.get(SCHEMA_HEADER);
    const channel = Object.values(CHANNELS).find(({ schema }) => schema.typeName === name);
    if (!last || !channel) return 0;
    return (fromBinary(channel.schema, last.data) as { version?: number }).version ?? 0;
  };

  const sweepDocument = async (documentId: string, entries: readonly OutboxEntry[]): Promise<void> => {
    const left = entries.filter(({ id }) => !onTheWay.has(id));
    const known = left.some(isFact) ? await lastVersionInStream(documentId) : 0;
    for (const entry of left) if (isFact(entry) && entry.version <= known) acknowledge(documentId, entry.id);
    for (const { id } of left) if (acked.has(id)) acknowledge(documentId, id);
    send(documentId, left);
  };

  return {
    send,
    published: {
      has: (entryId) => acked.has(entryId),
      dropped,
    },
    sweep: async (now) => {
      const left = await documents
        .find({
          'outbox.0': { $exists: true },
          updatedAt: { $lte: new Date(now.getTime() - LEFT_BEHIND_MS) },
        })
        .sort({ updatedAt: 1 })
        .limit(SWEEP_BATCH)
        .toArray();
      await Promise.all(left.map((document) => sweepDocument(document._id, outboxOf(document))));
    },
    flush: async () => {
      await Promise.all(lastFactOf.values());
      await pull();
    },
  };
};
