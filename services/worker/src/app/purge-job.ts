import type { BlobStore } from '@esl/kit/blob-store';
import { ack, retry, type Verdict } from '@esl/kit/delivery';
import type { Log } from '@esl/kit/log';
import { manifestKey } from '../pipeline/checkpoint.ts';
import type { RunReports } from './needs.ts';

const PURGE_MS = 20_000;
const ASK_AGAIN_MS = 5_000;

/** What a job makes lies here. Nothing else is deleted, whatever a message says: lesson texts belong to their uploads. */
const MADE_BY_JOBS = /^(pages|audio|manifests|transcripts)\//;

/** Deletes what only a deleted job had made, its manifest always. Repeating it changes nothing. */
export const purgeJob =
  ({
    blobs,
    reports,
    log,
  }: {
    readonly blobs: Pick<BlobStore, 'delete'>;
    readonly reports: Pick<RunReports, 'purged'>;
    readonly log: Log;
  }) =>
  async (jobId: string, keys: readonly string[]): Promise<Verdict> => {
    const signal = AbortSignal.timeout(PURGE_MS);
    try {
      const unwanted = new Set([manifestKey(jobId), ...keys.filter((key) => MADE_BY_JOBS.test(key))]);
      await Promise.all([...unwanted].map((key) => blobs.delete(key, signal)));
      await reports.purged(jobId, signal);
      return ack;
    } catch (error) {
      log.warn({ err: error, jobId }, 'a deleted job is not purged yet');
      return retry(ASK_AGAIN_MS);
    }
  };
