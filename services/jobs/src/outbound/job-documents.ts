// How a job lies in MongoDB: its record, its outbox and its timeline in one document.
//   D1. What a list needs is an index away: by owner and creation, owner and change, owner and state, and by words.
//   D2. What only waits (queue, leases, outbox, refreshes) has a partial index, as small as what waits.

import { Binary, type Collection, type Db } from 'mongodb';
import type { JobId, JobRecord } from '../domain/job.ts';
import type { TimelineEntry } from '../domain/timeline.ts';
import type { OutboxEntry } from '../wire.ts';

export type StoredEntry = Omit<OutboxEntry, 'payload'> & { readonly payload: Binary };

export type JobDocument = Omit<JobRecord, 'id'> & {
  readonly _id: string;
  readonly outbox: readonly StoredEntry[];
  readonly timeline: readonly TimelineEntry[];
};

export type JobsCollection = Collection<JobDocument>;

/** Names of the indexes that lists choose from (mongo-job-lists.ts). */
export const LIST_INDEXES = {
  owner: { ownerId: 1, _id: -1 },
  ownerUpdated: { ownerId: 1, updatedAt: -1, _id: -1 },
  ownerState: { ownerId: 1, state: 1, _id: -1 },
  ownerWords: { ownerId: 1, words: 1, _id: -1 },
  state: { state: 1, _id: -1 },
  updated: { updatedAt: -1, _id: -1 },
  batch: { batchId: 1, _id: -1 },
  parent: { parentJobId: 1, _id: -1 },
} as const;

export type ListIndex = keyof typeof LIST_INDEXES;

export const openJobsCollection = async (db: Db): Promise<JobsCollection> => {
  const jobs = db.collection<JobDocument>('jobs');
  const { batch, parent, ...whole } = LIST_INDEXES;
  const queued = { partialFilterExpression: { state: 'queued' } };
  await jobs.createIndexes([
    ...Object.entries(whole).map(([name, key]) => ({ name, key })),
    { name: 'batch', key: batch, partialFilterExpression: { batchId: { $gt: '' } } },
    { name: 'parent', key: parent, partialFilterExpression: { parentJobId: { $gt: '' } } },
    { name: 'queue', key: { ownerId: 1, priority: 1, isDispatched: 1, dispatchAt: 1, _id: 1 }, ...queued },
    { name: 'due', key: { state: 1, isDispatched: 1, dispatchAt: 1, ownerId: 1, priority: 1 }, ...queued },
    { name: 'lease', key: { 'lease.expiresAt': 1 }, partialFilterExpression: { state: 'running' } },
    { name: 'outbox', key: { updatedAt: 1 }, partialFilterExpression: { 'outbox.0': { $exists: true } } },
    {
      name: 'refresh',
      key: { 'refresh.checkAt': 1 },
      partialFilterExpression: { 'refresh.version': { $exists: true } },
    },
    {
      name: 'finished',
      key: { finishedAt: 1, state: 1, 'failure.code': 1 },
      partialFilterExpression: { finishedAt: { $gt: new Date(0) } },
    },
    {
      name: 'artifacts',
      key: { 'artifacts.key': 1 },
      partialFilterExpression: { 'artifacts.key': { $gt: '' } },
    },
  ]);
  return jobs;
};

export const toStored = (entry: OutboxEntry): StoredEntry => ({
  ...entry,
  payload: new Binary(entry.payload),
});
const fromStored = ({ payload, ...entry }: StoredEntry): OutboxEntry => ({
  ...entry,
  payload: payload.buffer,
});

/** Fields that documents of an earlier release lack. */
const ABSENT = {
  batchId: null,
  runAt: null,
  lesson: null,
  isDispatched: true,
  words: [],
  origin: null,
} as const;

export const recordOf = ({
  _id,
  outbox: _outbox,
  timeline: _timeline,
  ...fields
}: Omit<JobDocument, 'outbox' | 'timeline'> & Partial<JobDocument>): JobRecord => ({
  ...ABSENT,
  ...fields,
  id: _id as JobId,
});

export const outboxOf = ({ outbox }: { readonly outbox: readonly StoredEntry[] }): OutboxEntry[] =>
  outbox.map(fromStored);

/** A job without what only its own history and its messages need. */
export const RECORD_ONLY = { projection: { outbox: 0, timeline: 0 } } as const;
export const WITHOUT_TIMELINE = { projection: { timeline: 0 } } as const;
