import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from './log.ts';

/** One stage of an ordered stop. `withinMs` bounds it; its signal fires when that time is over. */
export type StopStep = {
  readonly name: string;
  readonly withinMs: number;
  readonly run: (signal: AbortSignal) => Promise<void> | void;
};

/** Runs the steps in order. A late or failing step is logged and never keeps the next from running. */
export const shutDown = async (steps: readonly StopStep[], log: Log): Promise<void> => {
  for (const { name, withinMs, run } of steps) {
    const over = new AbortController();
    const deadline = delay(withinMs, 'late' as const, { ref: false });
    try {
      const end = await Promise.race([
        Promise.resolve(run(over.signal)).then(() => 'done' as const),
        deadline,
      ]);
      if (end === 'late') log.warn({ step: name, withinMs }, 'stop step is late, going on');
    } catch (error) {
      log.error({ step: name, err: error }, 'stop step failed, going on');
    } finally {
      over.abort();
    }
  }
};
