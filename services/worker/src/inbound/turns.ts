/** Whose turn it is among queues of different weight: in the long run each gets its share, in even steps. */
export const weightedTurns = <T extends { readonly weight: number }>(queues: readonly T[]) => {
  const credit = new Map<T, number>(queues.map((queue) => [queue, 0]));
  return {
    /** The next of those that `mayHave` something; null when none may. */
    next: (mayHave: (queue: T) => boolean): T | null => {
      const candidates = queues.filter(mayHave);
      let best: T | null = null;
      for (const queue of candidates) {
        credit.set(queue, (credit.get(queue) ?? 0) + queue.weight);
        if (best === null || (credit.get(queue) ?? 0) > (credit.get(best) ?? 0)) best = queue;
      }
      const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
      if (best) credit.set(best, (credit.get(best) ?? 0) - total);
      return best;
    },
  };
};
