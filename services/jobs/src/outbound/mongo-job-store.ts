// Jobs in MongoDB, each with its outbox inside. Keeps S1 and S2 of app/needs.ts.
//   M1. What was just written is remembered, so that the next change of a job is usually decided without a read.
//       A memory may be stale (another replica wrote): the version guard finds out, and the job is read anew.
//   M2. Entries known to be published are dropped with the next write; the rest are pulled in bulk, later.

import { coalesce } from '@esl/kit/coalesce';
import { currentContext } from '@esl/kit/request-context';
import { said } from '@esl/kit/said';
import { Binary, type Collection, type Db, type Filter, MongoBulkWriteError } from 'mongodb';
import type { JobFilter, JobSort, JobStore, Scope } from '../app/needs.ts';
import type { Change } from '../domain/changes.ts';
import { type JobId, type JobRecord, type JobState, later, type Origin } from '../domain/job.ts';
import { isFinal } from '../domain/moves.ts';
import { factEntry, type OutboxEntry, workEntry } from '../wire.ts';
import { noteCreated, noteMove } from './job-times.ts';

type StoredEntry = Omit<OutboxEntry, 'payload'> & { readonly payload: Binary };
export type JobDocument = Omit<JobRecord, 'id'> & {
  readonly _id: string;
  readonly outbox: readonly StoredEntry[];
};

export type JobsCollection = Collection<JobDocument>;

/** Duplicate key (MongoDB error code 11000). */
const DUPLICATE_KEY = 11_000;
const MAX_CONFLICTS = 20;
const MAX_REMEMBERED = 1_000;

export const openJobsCollection = async (db: Db): Promise<JobsCollection> => {
  const jobs = db.collection<JobDocument>('jobs');
  await jobs.createIndexes([
    { name: 'owner', key: { ownerId: 1, _id: -1 } },
    { name: 'dispatch', key: { dispatchAt: 1 }, partialFilterExpression: { state: 'queued' } },
    { name: 'lease', key: { 'lease.expiresAt': 1 }, partialFilterExpression: { state: 'running' } },
    { name: 'outbox', key: { updatedAt: 1 }, partialFilterExpression: { 'outbox.0': { $exists: true } } },
    {
      name: 'refresh',
      key: { 'refresh.checkAt': 1 },
      partialFilterExpression: { 'refresh.version': { $exists: true } },
    },
  ]);
  return jobs;
};

const toStored = (entry: OutboxEntry): StoredEntry => ({ ...entry, payload: new Binary(entry.payload) });
const fromStored = ({ payload, ...entry }: StoredEntry): OutboxEntry => ({
  ...entry,
  payload: payload.buffer,
});

export const recordOf = ({ _id, outbox: _outbox, ...fields }: JobDocument): JobRecord => ({
  ...fields,
  id: _id as JobId,
});
export const outboxOf = (document: JobDocument): OutboxEntry[] => document.outbox.map(fromStored);

const NO_OUTBOX = { projection: { outbox: 0 } } as const;

/** The outgoing messages of one write, in the order they must leave. */
export type Outgoing = (jobId: JobId, entries: readonly OutboxEntry[]) => void;

/** What the relay knows about the entries it was given. */
export type Published = {
  readonly has: (entryId: string) => boolean;
  /** These entries have left the document: they need not be pulled any more. */
  readonly dropped: (jobId: JobId, entryIds: readonly string[]) => void;
};

const scopeFilter = (scope: Scope): Filter<JobDocument> =>
  scope === 'everyone' ? {} : { ownerId: scope.ownerId };

/** The lowest UUIDv7 of a millisecond: creation times are filtered on the id, which an index already sorts. */
const firstIdAt = (time: Date): string => {
  const hex = time.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
};

const listFilter = (scope: Scope, filter: JobFilter): Filter<JobDocument> => {
  const clauses: Filter<JobDocument>[] = [scopeFilter(scope)];
  if (filter.states.length > 0) clauses.push({ state: { $in: [...filter.states] } });
  if (filter.preset !== null) clauses.push({ 'spec.preset': filter.preset });
  if (filter.mode !== null) clauses.push({ 'spec.mode': filter.mode });
  if (filter.notionDatabase !== null) clauses.push({ 'spec.notionDatabase': filter.notionDatabase });
  if (filter.parentJobId !== null) clauses.push({ parentJobId: filter.parentJobId as JobId });
  if (filter.createdFrom) clauses.push({ _id: { $gte: firstIdAt(filter.createdFrom) } });
  if (filter.createdTo) clauses.push({ _id: { $lt: firstIdAt(filter.createdTo) } });
  if (filter.finishedFrom) clauses.push({ finishedAt: { $gte: filter.finishedFrom } });
  if (filter.finishedTo) clauses.push({ finishedAt: { $lt: filter.finishedTo } });
  if (filter.hasError !== null) clauses.push({ failure: filter.hasError ? { $ne: null } : null });
  return { $and: clauses };
};

const pageFilter = (sort: JobSort, after: { value: number; id: string } | null): Filter<JobDocument> => {
  if (!after) return {};
  const beyond = sort.startsWith('-') ? '$lt' : '$gt';
  if (sort.endsWith('createdAt')) return { _id: { [beyond]: after.id } };
  const at = new Date(after.value);
  return { $or: [{ updatedAt: { [beyond]: at } }, { updatedAt: at, _id: { [beyond]: after.id } }] };
};

export const mongoJobStore = (
  jobs: JobsCollection,
  { now, outgoing, published }: { now: () => Date; outgoing: Outgoing; published: Published },
): JobStore => {
  const remembered = new Map<JobId, { record: JobRecord; outbox: readonly OutboxEntry[] }>();
  const remember = (record: JobRecord, outbox: readonly OutboxEntry[]) => {
    remembered.delete(record.id);
    if (isFinal(record.state)) return; // what is final is seldom changed again
    remembered.set(record.id, { record, outbox });
    const oldest = remembered.size > MAX_REMEMBERED ? remembered.keys().next().value : undefined;
    if (oldest) remembered.delete(oldest);
  };

  const read = async (id: JobId) => {
    const document = await jobs.findOne({ _id: id });
    if (!document) return null;
    return { record: recordOf(document), outbox: outboxOf(document) };
  };

  const insert = async (records: readonly JobRecord[]): Promise<readonly JobRecord[]> => {
    const fresh = records.map((record) => ({
      record,
      outbox: inNameOf(record.origin, [factEntry(record, 'created', null), workEntry(record, 'run')]),
    }));
    const taken = new Set<number>();
    try {
      await jobs.insertMany(
        fresh.map(({ record: { id, ...fields }, outbox }) => ({
          ...fields,
          _id: id,
          outbox: outbox.map(toStored),
        })),
        { ordered: false },
      );
    } catch (error) {
      const faults = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
      if (faults.length === 0 || faults.some(({ code }) => code !== DUPLICATE_KEY)) throw error;
      for (const { index } of faults) taken.add(index);
    }
    return await Promise.all(
      fresh.map(async ({ record, outbox }, index) => {
        if (taken.has(index)) return (await read(record.id))?.record ?? record;
        remember(record, outbox);
        noteCreated();
        outgoing(record.id, outbox);
        return record;
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
        const entries = inNameOf(callerOr(record.origin), entriesOf(job, wanted, record.state));
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
          return { job, changed: true };
        }
      }
      known = null;
    }
    throw new Error(`job ${id} changed ${MAX_CONFLICTS} times while one change was decided`);
  };

  return {
    create: (records) => insertTogether(records),
    find: async (id) => {
      const document = await jobs.findOne({ _id: id }, NO_OUTBOX);
      return document && recordOf(document);
    },
    change,
    renew: async (workerId, runs, expiresAt) => {
      const ids = runs.map(({ id }) => id);
      await jobs.updateMany(
        { _id: { $in: ids }, state: 'running', 'lease.workerId': workerId },
        { $set: { 'lease.expiresAt': expiresAt } },
      );
      const documents = await jobs.find({ _id: { $in: ids } }, NO_OUTBOX).toArray();
      const byId = new Map(documents.map((document) => [document._id, recordOf(document)]));
      for (const id of ids) remembered.delete(id);
      return ids.map((id) => byId.get(id) ?? null);
    },
    list: async (scope, filter, { sort, after, limit }) => {
      const matching = listFilter(scope, filter);
      const direction = sort.startsWith('-') ? -1 : 1;
      const [documents, total] = await Promise.all([
        jobs
          .find({ $and: [matching, pageFilter(sort, after)] }, { ...NO_OUTBOX, maxTimeMS: 5_000 })
          .sort(sort.endsWith('createdAt') ? { _id: direction } : { updatedAt: direction, _id: direction })
          .limit(limit)
          .toArray(),
        jobs.countDocuments(matching, { maxTimeMS: 5_000 }),
      ]);
      return { jobs: documents.map(recordOf), total };
    },
    stats: async () => {
      const counts = await jobs
        .aggregate<{ _id: JobState; count: number }>([{ $group: { _id: '$state', count: { $sum: 1 } } }])
        .toArray();
      const oldest = await jobs.find({ state: 'queued' }, NO_OUTBOX).sort({ _id: 1 }).limit(1).next();
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

const entriesOf = (job: JobRecord, { fact, work }: Change, from: JobState): OutboxEntry[] => [
  factEntry(job, fact, from),
  ...(work ? [workEntry(job, work)] : []),
];
