type Waiting<T, R> = {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
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
        const results = await flush(batch.map(({ item }) => item));
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
      waiting.push({ item, resolve, reject });
      if (running < inFlight) queueMicrotask(() => running < inFlight && waiting.length > 0 && void run());
    });
};
