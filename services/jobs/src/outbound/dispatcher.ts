// Sends waiting jobs to the workers, a few at a time, so that no owner's backlog stands before another's next job.
//   F1. Queued jobs wait in MongoDB. Of each lane (an owner's jobs of one priority) at most `window` have a work
//       message that no worker has claimed; the next leaves when one of them is claimed. The stream, first in first
//       out, thus serves owners in turn.
//   F2. Within a lane jobs leave in the order in which they became due.
//   F3. A message is sent after the job is marked as dispatched, by whoever won the mark. A mark whose message was
//       lost runs out after DISPATCHED_CHECK_MS, and the reconciler sends it again.
//   F4. What this process believes about a lane only spares a query: to dispatch a new job in the write that stores
//       it. Other replicas may make it wrong by a few jobs, until the lane is counted the next time.

import type { Bus } from '@esl/kit/bus';
import type { Log } from '@esl/kit/log';
import { publishBytes } from '@esl/kit/publish';
import { withContext } from '@esl/kit/request-context';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import type { Filter } from 'mongodb';
import { DISPATCH_CHECK_MS, type JobPriority, type JobRecord, type OwnerId } from '../domain/job.ts';
import { workEntry } from '../wire.ts';
import { type JobDocument, type JobsCollection, RECORD_ONLY, recordOf } from './job-documents.ts';

/** How soon a mark is checked for its message, in ms. */
const DISPATCHED_CHECK_MS = 10_000;
/** Lanes that are remembered, and filled at once. */
const MAX_LANES = 10_000;
const FILLS_AT_ONCE = 16;
/** How long a lane is believed to be full, or to have no backlog, after it was counted, in ms. */
const BELIEVED_MS = 1_000;

export type Lane = { readonly ownerId: OwnerId; readonly priority: JobPriority };

export type Dispatcher = {
  /** Dispatches a new job in the write that stores it, when its lane is known to have room. */
  readonly admit: (record: JobRecord) => JobRecord;
  /** Sees every stored change, and fills lanes that it gave room or work. */
  readonly watch: (before: JobRecord | null, after: JobRecord) => void;
  /** A job was deleted. */
  readonly gone: (job: JobRecord) => void;
  /** Dispatches what may leave now, lane by lane. */
  readonly fillAll: (lanes: readonly Lane[]) => Promise<void>;
  /** Resolves when no lane is being filled. */
  readonly idle: () => Promise<void>;
};

type Known = {
  /** Jobs with a message that no worker has claimed. */
  waiting: number;
  /** More are due than there is room for, or that is being found out: a new one must not overtake them. */
  hasBacklog: boolean;
  countedAt: number;
};

const PRIORITIES: readonly JobPriority[] = ['high', 'normal', 'low'];

const keyOf = ({ priority, ownerId }: Lane) => `${priority}:${ownerId}`;

export const dispatcher = (
  jobs: JobsCollection,
  bus: Bus,
  settings: {
    readonly window: number;
    /** Jobs that one owner may have dispatched and running together; 0: any number. */
    readonly ownerLimit: number;
    readonly now: () => Date;
    readonly log: Log;
  },
): Dispatcher => {
  const { window, ownerLimit, now, log } = settings;
  const known = new Map<string, Known>();
  const wanted = new Map<string, Lane>();
  const filling = new Map<string, Promise<void>>();

  const remember = (key: string, lane: Known) => {
    known.delete(key);
    known.set(key, lane);
    const oldest = known.size > MAX_LANES ? known.keys().next().value : undefined;
    if (oldest) known.delete(oldest);
  };

  const count = (filter: Filter<JobDocument>, limit: number) => jobs.countDocuments(filter, { limit });

  /** How many more jobs the owner may have at the workers, whatever the lane. */
  const ownerRoom = async (ownerId: OwnerId): Promise<number> => {
    if (ownerLimit === 0) return Number.POSITIVE_INFINITY;
    const [running, dispatched] = await Promise.all([
      count({ ownerId, state: 'running' }, ownerLimit),
      count({ ownerId, state: 'queued', isDispatched: true, priority: { $in: [...PRIORITIES] } }, ownerLimit),
    ]);
    return ownerLimit - running - dispatched;
  };

  const send = async (job: JobRecord): Promise<boolean> => {
    const at = now();
    const marked = await jobs.updateOne(
      {
        _id: job.id,
        state: 'queued',
        isDispatched: false,
        priority: job.priority,
        dispatchAt: { $lte: at },
      },
      { $set: { isDispatched: true, dispatchAt: new Date(at.getTime() + DISPATCHED_CHECK_MS) } },
    );
    if (marked.modifiedCount === 0) return false;
    const { channel, payload } = workEntry(job, 'run');
    await withContext(job.origin ?? {}, () =>
      publishBytes(bus, CHANNELS[channel], job.id, payload).catch((error: unknown) =>
        log.warn({ err: error, jobId: job.id }, 'a work message waits for the reconciler'),
      ),
    );
    return true;
  };

  const fillOnce = async ({ ownerId, priority }: Lane): Promise<void> => {
    const queued = { state: 'queued', ownerId, priority } as const;
    const before = known.get(keyOf({ ownerId, priority }));
    if (before) before.hasBacklog = true;
    const waiting = await count({ ...queued, isDispatched: true }, window);
    const room = Math.max(Math.min(window - waiting, await ownerRoom(ownerId)), 0);
    const due = await jobs
      .find({ ...queued, isDispatched: false, dispatchAt: { $lte: now() } }, RECORD_ONLY)
      .sort({ dispatchAt: 1, _id: 1 })
      .limit(room + 1)
      .toArray();
    const sent = await Promise.all(due.slice(0, room).map((document) => send(recordOf(document))));
    remember(keyOf({ ownerId, priority }), {
      waiting: waiting + sent.filter(Boolean).length,
      hasBacklog: due.length > room,
      countedAt: now().getTime(),
    });
  };

  /** Fills a lane now, and once more when it was asked for meanwhile. Lanes of one owner share a limit: one at a time. */
  const fill = (lane: Lane): Promise<void> => {
    wanted.set(keyOf(lane), lane);
    const turn = ownerLimit > 0 ? lane.ownerId : keyOf(lane);
    const under = filling.get(turn);
    if (under) return under;
    const isMine = (each: Lane) => (ownerLimit > 0 ? each.ownerId === lane.ownerId : keyOf(each) === turn);
    const run = async () => {
      for (;;) {
        const next = PRIORITIES.map((priority) => wanted.get(keyOf({ ownerId: lane.ownerId, priority })))
          .filter((each) => each !== undefined)
          .find(isMine);
        if (!next) break;
        wanted.delete(keyOf(next));
        await fillOnce(next).catch((error: unknown) => {
          known.delete(keyOf(next));
          log.warn({ err: error }, 'a lane is not filled yet');
        });
      }
      filling.delete(turn);
    };
    const filled = run();
    filling.set(turn, filled);
    return filled;
  };

  const fillOwner = (ownerId: OwnerId) => {
    for (const priority of PRIORITIES) void fill({ ownerId, priority });
  };

  return {
    admit: (record) => {
      const lane = known.get(keyOf(record));
      const isDue = record.state === 'queued' && record.runAt === null && record.retryAt === null;
      if (!isDue || ownerLimit > 0 || !lane || lane.hasBacklog || lane.waiting >= window) return record;
      lane.waiting += 1;
      return {
        ...record,
        isDispatched: true,
        dispatchAt: new Date(now().getTime() + DISPATCH_CHECK_MS),
      };
    },
    watch: (before, after) => {
      const lane = known.get(keyOf(after));
      const isFresh = lane && now().getTime() - lane.countedAt < BELIEVED_MS;
      const isWaiting = after.state === 'queued' && !after.isDispatched;
      if (!before) {
        if (!isWaiting || after.runAt !== null) return;
        // Whoever claims from a full lane fills it.
        if (isFresh && lane.waiting >= window) lane.hasBacklog = true;
        else void fill(after);
      } else if (before.state === 'queued' && after.state !== 'queued') {
        if (lane && lane.waiting > 0) lane.waiting -= 1;
        if (!isFresh || lane.hasBacklog || ownerLimit > 0) void fill(after);
      } else if (before.state === 'queued' && isWaiting) {
        void fill(after);
        if (before.priority !== after.priority) void fill(before);
      } else if (ownerLimit > 0 && before.state === 'running' && after.state !== 'running') {
        fillOwner(after.ownerId);
      }
    },
    gone: (job) => {
      if (job.state === 'queued') void fill(job);
    },
    fillAll: async (lanes) => {
      const left = [...lanes];
      const work = async () => {
        for (let lane = left.shift(); lane; lane = left.shift()) await fill(lane);
      };
      await Promise.all(Array.from({ length: FILLS_AT_ONCE }, work));
    },
    idle: async () => {
      await Promise.all(filling.values());
    },
  };
};
