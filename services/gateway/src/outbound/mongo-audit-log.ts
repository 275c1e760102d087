import type { Log } from '@esl/kit/log';
import { currentContext } from '@esl/kit/request-context';
import type { Collection, Db } from 'mongodb';
import { v7 as uuidv7 } from 'uuid';
import type { Audit, AuditEntry, AuditKind } from '../accounts/audit.ts';

export type AuditRecord = AuditEntry & {
  readonly id: string;
  readonly at: Date;
  readonly requestId: string | null;
};

export type AuditQuery = {
  readonly kind: AuditKind | null;
  readonly userId: string | null;
  readonly after: string | null;
  readonly limit: number;
};

export type AuditLog = {
  readonly audit: Audit;
  /** Newest first. */
  readonly list: (query: AuditQuery) => Promise<readonly AuditRecord[]>;
  /** Resolves when what was recorded so far is stored. */
  readonly flush: () => Promise<void>;
};

type Stored = Omit<AuditRecord, 'id'> & { readonly _id: string };

/** How long a record is kept, in seconds: 180 days. */
const KEEP_S = 180 * 86_400;
/** Records under way; more means that the database does not keep up, and memory shall not grow for them. */
const MAX_WRITING = 1_000;

export const mongoAuditLog = async (
  db: Db,
  { clock, log }: { readonly clock: () => Date; readonly log: Log },
): Promise<AuditLog> => {
  const records: Collection<Stored> = db.collection('audit_log');
  await records.createIndexes([
    { name: 'user', key: { userId: 1, _id: -1 } },
    { name: 'kind', key: { kind: 1, _id: -1 } },
    { name: 'expiry', key: { at: 1 }, expireAfterSeconds: KEEP_S },
  ]);
  const writing = new Set<Promise<void>>();

  return {
    audit: (entry) => {
      if (writing.size >= MAX_WRITING) return log.error({ kind: entry.kind }, 'security event not recorded');
      const { requestId = null } = currentContext();
      const record = { ...entry, _id: uuidv7(), at: clock(), requestId };
      const write = records.insertOne(record).then(
        () => {},
        (error: unknown) => log.error({ err: error, kind: entry.kind }, 'security event not recorded'),
      );
      writing.add(write);
      void write.then(() => writing.delete(write));
    },
    list: async ({ kind, userId, after, limit }) => {
      const stored = await records
        .find({
          ...(kind !== null && { kind }),
          ...(userId !== null && { userId }),
          ...(after !== null && { _id: { $lt: after } }),
        })
        .sort({ _id: -1 })
        .limit(limit)
        .toArray();
      return stored.map(({ _id, ...fields }) => ({ ...fields, id: _id }));
    },
    flush: async () => {
      await Promise.all(writing);
    },
  };
};
