import type { Bus } from '@esl/kit/bus';
import { CHANNELS, STREAMS } from '@esl-pipeline/contracts/bus';
import type { Job, JobPriority } from '../domain/job.ts';

const SUBJECT = {
  high: CHANNELS.runHigh.subject,
  normal: CHANNELS.runNormal.subject,
  low: CHANNELS.runLow.subject,
} as const satisfies Record<JobPriority, (id: string) => string>;

/**
 * Takes work messages that a rescheduled job no longer wants out of the stream: those of other priorities, and, while
 * its time has not come, that of its own. One that is due may have got its new message already.
 */
export const withdrawWork = async (bus: Bus, { id, priority, runAt }: Job, now: Date): Promise<void> => {
  const isDue = runAt === null || runAt <= now;
  const unwanted = (Object.keys(SUBJECT) as JobPriority[]).filter((each) => !isDue || each !== priority);
  await Promise.all(
    unwanted.map((each) => bus.jsm.streams.purge(STREAMS.WORK.name, { filter: SUBJECT[each](id) })),
  );
};
