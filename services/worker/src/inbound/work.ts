import { type Delivery, giveUp, type Handlers, on, type Verdict } from '@esl/kit/delivery';
import { CHANNELS } from '@esl-pipeline/contracts/bus';

const JOB_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What each `work.*` message means. */
export const workHandlers = (use: {
  readonly perform: (jobId: string, delivery: Delivery) => Promise<Verdict>;
  readonly refresh: (jobId: string) => Promise<Verdict>;
  readonly purge: (jobId: string, keys: readonly string[]) => Promise<Verdict>;
}): Handlers => {
  const known = (jobId: string, handle: () => Promise<Verdict>) =>
    JOB_ID.test(jobId) ? handle() : Promise.resolve(giveUp('invalid job id'));
  return new Map([
    // The three priorities carry the same message; the queue it waited in has done its part.
    on(CHANNELS.runNormal, ({ jobId }, delivery) => known(jobId, () => use.perform(jobId, delivery))),
    on(CHANNELS.purge, ({ jobId, keys }) => known(jobId, () => use.purge(jobId, keys))),
    on(CHANNELS.refresh, ({ jobId }) => known(jobId, () => use.refresh(jobId))),
  ]);
};
