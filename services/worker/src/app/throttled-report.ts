import type { Log } from '@esl/kit/log';
import type { RunProgress } from '../pipeline/run-pipeline.ts';

/** A run's progress is told at most this often, in ms; a run that ends sooner tells none. */
export const REPORT_EVERY_MS = 250;

/** Sends the latest progress when it has changed, one report at a time. A report that fails is dropped. */
export const throttledReport = (
  send: (sequence: number, progress: RunProgress) => Promise<void>,
  log: Log,
) => {
  let latest: RunProgress | null = null;
  let sequence = 0;
  let timer: NodeJS.Timeout | null = null;
  let isClosed = false;

  const flush = async () => {
    const progress = latest;
    latest = null;
    if (progress && !isClosed) {
      sequence += 1;
      await send(sequence, progress).catch((error: unknown) =>
        log.debug({ err: error }, 'progress not told'),
      );
    }
    timer = null;
    if (latest) arm();
  };
  const arm = () => {
    if (!timer && !isClosed) timer = setTimeout(() => void flush(), REPORT_EVERY_MS);
  };

  return {
    changed: (progress: RunProgress) => {
      latest = progress;
      arm();
    },
    close: () => {
      isClosed = true;
      if (timer) clearTimeout(timer);
    },
  };
};
