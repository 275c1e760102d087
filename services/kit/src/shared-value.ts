import { JetStreamApiError } from '@nats-io/jetstream';
import type { Bus } from './bus.ts';

/** JetStream's err_code when the subject's last message is not the one a write was based on. */
const WRONG_LAST_SEQUENCE = 10_071;
const MAX_TRIES = 20;

const isApiError = (error: unknown, matches: (error: JetStreamApiError) => boolean) =>
  error instanceof JetStreamApiError && matches(error);

/**
 * Changes a small value that all replicas share: the last message of a subject. Of two changes at once one is refused
 * by the server and decided again on what the other left, so `change` must have no effect of its own. Faults when the
 * bus cannot be reached.
 */
export const changeShared = async <T>(
  bus: Pick<Bus, 'js' | 'jsm' | 'restore'>,
  { stream, subject }: { readonly stream: string; readonly subject: string },
  change: (last: string | null) => { readonly next: string; readonly result: T },
): Promise<T> => {
  for (let tries = 1; ; tries += 1) {
    try {
      const last = await bus.jsm.streams.getMessage(stream, { last_by_subj: subject });
      const { next, result } = change(last ? last.string() : null);
      await bus.js.publish(subject, next, { expect: { lastSubjectSequence: last?.seq ?? 0 }, retries: 0 });
      return result;
    } catch (error) {
      if (tries === MAX_TRIES) throw error;
      if (isApiError(error, ({ status }) => status === 404)) await bus.restore();
      else if (!isApiError(error, ({ code }) => code === WRONG_LAST_SEQUENCE)) throw error;
    }
  }
};
