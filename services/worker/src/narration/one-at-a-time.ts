import { orAborted } from '../or-aborted.ts';

/**
 * Lets one caller at a time work under a key, in no particular order. Two lessons with the same line, in the same
 * worker, thus pay for it once: the second finds what the first has left in the cache.
 */
export const oneAtATime = () => {
  const underWay = new Map<string, Promise<void>>();
  return async <T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    for (let other = underWay.get(key); other; other = underWay.get(key)) await orAborted(other, signal);
    const { promise, resolve } = Promise.withResolvers<void>();
    underWay.set(key, promise);
    try {
      return await work();
    } finally {
      underWay.delete(key);
      resolve();
    }
  };
};
