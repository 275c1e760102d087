// Jobs in MongoDB, each with its outbox inside. Keeps S1 and S2 of app/needs.ts.
//   M1. What was just written is remembered, so that the next change of a job is usually decided without a read.
//       A memory may be stale (another replica wrote): the version guard finds out, and the job is read anew.
//   M2. Entries known to be published are dropped with the next write; the rest are pulled in bulk, later.

import { coalesce } from '@esl/kit/coalesce';
import { currentContext } from '@esl/kit/request-context';
import { said } from '@esl/kit/said';
import { type ClientSession, type Filter, MongoBulkWriteError } from 'mongodb';
import type { JobStore } from '../app/needs.ts';
import type { Change } from '../domain/changes.ts';
import { type JobId, type JobRecord, type JobState, later, type Origin } from '../domain/job.ts';
import { isFinal } from '../domain/moves.ts';
import { entriesOf, firstEntries, MAX_TIMELINE } from '../domain/timeline.ts';
import { factEntry, type OutboxEntry, workEntry } from '../wire.ts';
import {
  type JobDocument,
  type JobsCollection,
  outboxOf,
  RECORD_ONLY,
  recordOf,
  toStored,
  WITHOUT_TIMELINE,
} from './job-documents.ts';
import { noteCreated, noteMove } from './job-times.ts';
import { listJobDocuments } from './mongo-job-lists.ts';

/** Duplicate key (MongoDB error code 11000). */
const DUPLICATE_KEY = 11_000;
const MAX_CONFLICTS = 20;
const MAX_REMEMBERED = 1_000;
const ANNOUNCED_AT_ONCE = 25;

/** The outgoing messages of one write, in the order they must leave. */
export type Outgoing = (jobId: JobId, entries: readonly OutboxEntry[]) => void;

/** What the relay knows about the entries it was given. */
export type Published = {
  readonly has: (entryId: string) => boolean;
  /** These entries have left the document: they need not be pulled any more. */
  readonly dropped: (documentId: string, entryIds: readonly string[]) => void;
};

/** New jobs that a caller stores in a transaction of its own; `stored` announces them once it is committed. */
export type CreateTogether = (records: readonly JobRecord[]) => {
  readonly insert: (session: ClientSession) => Promise<void>;
  readonly stored: () => void;
};

/** Who wants to know of each write, once it is stored. */
export type Watcher = (before: JobRecord | null, after: JobRecord) => void;

export const mongoJobStore = (
  jobs: JobsCollection,
  {
    now,
    outgoing,
    published,
    admit,
    watch,
  }: {
    readonly now: () => Date;
    readonly outgoing: Outgoing;
    readonly published: Published;
    /** Which of some new jobs are dispatched with the write that stores them. */
    readonly admit: (record: JobRecord) => JobRecord;
    readonly watch: Watcher;
  },
): JobStore & { readonly createTogether: CreateTogether } => {
  const remembered = new Map<JobId, { record: JobRecord; outbox: readonly OutboxEntry[] }>();
  const remember = (record: JobRecord, outbox: readonly OutboxEntry[]) => {
    remembered.delete(record.id);
    if (isFinal(record.state)) return; // what is final is seldom changed again
    remembered.set(record.id, { record, outbox });
    const oldest = remembered.size > MAX_REMEMBERED ? remembered.keys().next().value : undefined;
    if (oldest) remembered.delete(oldest);
  };

  const read = async (id: JobId) => {
    const document = await jobs.findOne({ _id: id }, WITHOUT_TIMELINE);
    if (!document) return null;
    return { record: recordOf(document), outbox: outboxOf(document) };
  };

  const announceNew = ({ record, outbox }: Fresh) => {
    remember(record, outbox);
    noteCreated();
    outgoing(record.id, outbox);
    watch(null, record);
  };

  const insert = async (records: readonly JobRecord[]): Promise<readonly JobRecord[]> => {
    const fresh = records.map((record) => freshOf(admit(record)));
    const taken = new Set<number>();
    try {
      await jobs.insertMany(fresh.map(documentOf), { ordered: false });
    } catch (error) {
      const faults = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
      if (faults.length === 0 || faults.some(({ code }) => code !== DUPLICATE_KEY)) throw error;
      for (const { index } of faults) taken.add(index);
    }
    return await Promise.all(
      fresh.map(async (one, index) => {
        if (taken.has(index)) return (await read(one.record.id))?.record ?? one.record;
        announceNew(one);
        return one.record;
      }),
    );
  };
  const insertTogether = coalesce(
    async (groups: readonly (readonly JobRecord[])[]) => {
      const stored = await insert(groups.flat());
      let next = 0;
      return groups.map(({ length }) => {
        next += length;
        return stored.slice(next - length, next);
      });
    },
    { maxItems: 500 },
  );

  const change: JobStore['change'] = async (id, decide) => {
    let known = remembered.get(id) ?? null;
    let isFresh = false;
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts += 1) {
      if (!known) {
        known = await read(id);
        isFresh = true;
        if (!known) return null;
      }
      const { record } = known;
      const wanted = decide(record);
      if (!wanted && isFresh) return { job: record, changed: false };
      if (wanted) {
        const job: JobRecord = {
          ...record,
          ...wanted.fields,
          version: record.version + 1,
          updatedAt: later(record.updatedAt, now()),
        };
        const entries = inNameOf(callerOr(record.origin), messagesOf(job, wanted, record.state));
        const history = entriesOf(record, job, wanted.action ?? null);
        const done = known.outbox.filter((entry) => published.has(entry.id));
        const outbox = [...known.outbox.filter((entry) => !done.includes(entry)), ...entries];
        const result = await jobs.updateOne(
          { _id: id, version: record.version, ...guardOf(wanted) },
          {
            $set: {
              ...wanted.fields,
              version: job.version,
              updatedAt: job.updatedAt,
              outbox: outbox.map(toStored),
            },
            ...(history.length > 0 && { $push: { timeline: { $each: history, $slice: -MAX_TIMELINE } } }),
          },
        );
        if (result.matchedCount === 1) {
          remember(job, outbox);
          noteMove(record, job);
          published.dropped(
            id,
            done.map((entry) => entry.id),
          );
          outgoing(id, outbox);
          watch(record, job);
          return { job, changed: true };
        }
      }
      known = null;
    }
    throw new Error(`job ${id} changed ${MAX_CONFLICTS} times while one change was decided`);
  };

  return {
    create: (records) => insertTogether(records),
    createTogether: (records) => {
      const fresh = records.map((record) => freshOf(record));
      return {
        insert: async (session) => {
          await jobs.insertMany(fresh.map(documentOf), { session });
        },
        stored: () => {
          const left = [...fresh];
          // A few at a time: the caller of 500 jobs need not wait until all their events are on their way.
          const announceSome = () => {
            for (const one of left.splice(0, ANNOUNCED_AT_ONCE)) announceNew(one);
            if (left.length > 0) setImmediate(announceSome);
          };
          setImmediate(announceSome);
        },
      };
    },
    find: async (id) => {
      const document = await jobs.findOne({ _id: id }, RECORD_ONLY);
      return document && recordOf(document);
    },
    timeline: async (id) => {
      const document = await jobs.findOne({ _id: id }, { projection: { outbox: 0 } });
      return document && { job: recordOf(document), entries: document.timeline ?? [] };
    },
    note: async (id, entry) => {
      const { at: _at, ...same } = entry;
      await jobs.updateOne({ _id: id, timeline: { $not: { $elemMatch: same } } } as Filter<JobDocument>, {
        $push: { timeline: { $each: [entry], $slice: -MAX_TIMELINE } },
      });
    },
    running: (ownerId) => jobs.countDocuments({ ownerId, state: 'running' }),
    change,
    renew: async (workerId, runs, expiresAt) => {
      const ids = runs.map(({ id }) => id);
      await jobs.updateMany(
        { _id: { $in: ids }, state: 'running', 'lease.workerId': workerId },
        { $set: { 'lease.expiresAt': expiresAt } },
      );
      const documents = await jobs.find({ _id: { $in: ids } }, RECORD_ONLY).toArray();
      const byId = new Map(documents.map((document) => [document._id, recordOf(document)]));
      for (const id of ids) remembered.delete(id);
      return ids.map((id) => byId.get(id) ?? null);
    },
    list: listJobDocuments(jobs, now),
    stats: async () => {
      const counts = await jobs
        .aggregate<{ _id: JobState; count: number }>([{ $group: { _id: '$state', count: { $sum: 1 } } }], {
          hint: 'state',
        })
        .toArray();
      const oldest = await jobs.find({ state: 'queued' }, RECORD_ONLY).sort({ _id: 1 }).limit(1).next();
      return {
        states: new Map(counts.map(({ _id, count }) => [_id, count])),
        oldestQueuedAt: oldest?.createdAt ?? null,
      };
    },
  };
};

/** A change that no request asked for is made in the name of the one that made the job. */
const callerOr = (maker: Origin | null): Origin | null => {
  const { requestId, traceparent, tracestate } = currentContext();
  return traceparent ? said({ requestId, traceparent, tracestate }) : maker;
};

const inNameOf = (origin: Origin | null, entries: readonly OutboxEntry[]): OutboxEntry[] =>
  entries.map((entry) => (origin ? { ...entry, origin } : entry));

/** Renewals do not count as versions, so a lease is only lost when it is out in the document itself. */
const guardOf = ({ leaseOutBy }: Change): Filter<JobDocument> =>
  leaseOutBy ? { 'lease.expiresAt': { $lte: leaseOutBy } } : {};

const messagesOf = (job: JobRecord, { fact, work }: Change, from: JobState): OutboxEntry[] => [
  factEntry(job, fact, from),
  ...(work ? [workEntry(job, work)] : []),
];

type Fresh = { readonly record: JobRecord; readonly outbox: readonly OutboxEntry[] };

const freshOf = (record: JobRecord): Fresh => ({
  record,
  outbox: inNameOf(record.origin, [
    factEntry(record, 'created', null),
    ...(record.isDispatched ? [workEntry(record, 'run')] : []),
  ]),
});

const documentOf = ({ record: { id, ...fields }, outbox }: Fresh): JobDocument => ({
  ...fields,
  _id: id,
  outbox: outbox.map(toStored),
  timeline: firstEntries({ id, ...fields }),
});
