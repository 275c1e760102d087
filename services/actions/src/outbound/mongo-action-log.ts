import type { Log } from '@esl/kit/log';
import { counter } from '@esl/kit/metrics';
import type { Db } from 'mongodb';
import { v7 } from 'uuid';
import type { ActionLog, LoggedAction } from '../app/needs.ts';

export type ActionDocument = LoggedAction & { readonly _id: string };

const KEPT_SECONDS = 90 * 86_400;
/** How long an answer may wait for its entry, in ms. */
const WITHIN_MS = 2_000;

const lost = counter('esl_action_log_lost_total', 'Entries that could not be written');

/**
 * Actions in MongoDB. What was done is done: an entry that cannot be written is told to the service's log, and the
 * caller still gets the answer.
 */
export const openActionLog = async (db: Db, log: Log): Promise<ActionLog> => {
  const entries = db.collection<ActionDocument>('action_log');
  await entries.createIndexes([
    { name: 'kept', key: { at: 1 }, expireAfterSeconds: KEPT_SECONDS },
    { name: 'job', key: { jobId: 1, _id: 1 } },
  ]);
  return {
    append: async (entry) => {
      try {
        await entries.insertOne({ _id: v7(), ...entry }, { timeoutMS: WITHIN_MS });
      } catch (error) {
        lost.inc();
        const { jobId, actorId, type, outcome } = entry;
        log.error({ err: error, jobId, actorId, type, outcome }, 'an action was not logged');
      }
    },
  };
};
