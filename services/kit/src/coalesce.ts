import { currentContext, isSampled, type RequestContext, withContext } from './request-context.ts';

type Waiting<T, R> = {
  readonly context: RequestContext;
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
};

/** Work done for several requests goes on in one's name, one that is recorded if there is any, and knows the others. */
const together = (contexts: readonly RequestContext[]): RequestContext => {
  const [first = {}] = contexts;
  if (contexts.length === 1) return first;
  const recorded = contexts.filter(({ traceparent }) => traceparent && isSampled(traceparent));
  const [leader = first, ...others] = recorded;
  return { ...leader, alsoFor: others.flatMap(({ traceparent }) => traceparent ?? []) };
};

/**
 * Group commit: what is asked for while `flush` is under way goes into the next call together. An idle flush starts
 * at once, so nothing waits for a timer. `flush` answers in the order of its items; when it throws, all of them fail.
 */
export const coalesce = <T, R>(
  flush: (items: readonly T[]) => Promise<readonly R[]>,
  { maxItems, inFlight = 1 }: { readonly maxItems: number; readonly inFlight?: number },
): ((item: T) => Promise<R>) => {
  const waiting: Waiting<T, R>[] = [];
  let running = 0;

  const run = async (): Promise<void> => {
    running += 1;
    while (waiting.length > 0) {
      const batch = waiting.splice(0, maxItems);
      try {
        const context = together(batch.map((each) => each.context));
        const results = await withContext(context, () => flush(batch.map(({ item }) => item)));
        batch.forEach(({ resolve, reject }, index) => {
          const result = results[index];
          if (result === undefined) reject(new Error('flush answered fewer results than items'));
          else resolve(result);
        });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    running -= 1;
  };

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject, context: currentContext() });
      if (running < inFlight) queueMicrotask(() => running < inFlight && waiting.length > 0 && void run());
    });
};
