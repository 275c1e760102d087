import { Worker } from 'node:worker_threads';
import { type Outcome, refuse } from '@esl/kit/outcome';
import { type CheckedLesson, checkLesson, type LessonFault, type SentFile } from './check-lesson.ts';
import type { CheckTask } from './check-lesson-worker.ts';

// Checks lessons without holding up the main loop.
//   C1. What is small is checked at once. The rest goes to one thread, which the first large file starts.
//   C2. The thread has one file at a time. Others wait in a bounded queue; one more is turned away for now.
//   C3. A file that takes too long, or more memory than the thread has, is refused, and the thread replaced.
//   C4. Aborting rejects at once; a file that waits is never started, the result of one under way is dropped.
//   C5. Every check settles, also when the checker is closed.

/** Takes less than 20 ms. Nearly every lesson is smaller. */
const MAX_INLINE_BYTES = 64 * 1024;
/** Files wait in memory, and 10 MiB made to keep us busy takes about three seconds. */
const MAX_WAITING = 8;
/** Several times what the worst 10 MiB takes on a busy machine. */
const DEADLINE_MS = 20_000;
/** The worst 10 MiB takes a third of it. */
const MAX_HEAP_MB = 256;

export class TooManyLessons extends Error {
  override name = 'TooManyLessons';
}

type Verdict = Outcome<CheckedLesson, LessonFault>;

export type LessonChecker = AsyncDisposable & {
  /** Throws `TooManyLessons` when others are to be checked first, or the checker is closed. */
  readonly check: (file: SentFile, signal: AbortSignal) => Promise<Verdict>;
  readonly close: () => Promise<void>;
};

export type LessonCheckerOptions = {
  /** The thread's module. */
  readonly entry?: URL;
  readonly maxInlineBytes?: number;
  readonly maxWaiting?: number;
  readonly deadlineMs?: number;
  readonly maxHeapMb?: number;
};

type Item = {
  readonly file: SentFile;
  readonly answer: (verdict: Verdict) => void;
  readonly fail: (error: unknown) => void;
};

const tooMuchWork = () =>
  refuse('file_validation_failed', 'The file takes too much work to check: it is no lesson.');

const isOutOfMemory = (error: unknown) => (error as { code?: string }).code === 'ERR_WORKER_OUT_OF_MEMORY';

export const lessonChecker = (options: LessonCheckerOptions = {}): LessonChecker => {
  const {
    entry = new URL('./check-lesson-worker.ts', import.meta.url),
    maxInlineBytes = MAX_INLINE_BYTES,
    maxWaiting = MAX_WAITING,
    deadlineMs = DEADLINE_MS,
    maxHeapMb = MAX_HEAP_MB,
  } = options;
  const waiting: Item[] = [];
  let running: Item | undefined;
  let thread: Worker | undefined;
  let deadline: NodeJS.Timeout | undefined;
  let isClosed = false;

  const startThread = (): Worker => {
    const started = new Worker(entry, {
      name: 'check-lesson',
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    });
    const ifOurs = (settle: (item: Item) => void) => {
      if (started === thread) finish(settle);
    };
    started.on('message', (verdict: Verdict) => ifOurs((item) => item.answer(verdict)));
    started.on('error', (error) => {
      ifOurs((item) => {
        thread = undefined;
        if (isOutOfMemory(error)) item.answer(tooMuchWork());
        else item.fail(new Error('a lesson could not be checked', { cause: error }));
      });
    });
    return started;
  };

  const finish = (settle: (item: Item) => void) => {
    clearTimeout(deadline);
    if (running) settle(running);
    running = undefined;
    startNext();
  };

  const giveUp = () =>
    finish((item) => {
      void thread?.terminate();
      thread = undefined;
      item.answer(tooMuchWork());
    });

  const startNext = () => {
    running = isClosed ? undefined : waiting.shift();
    if (!running) {
      thread?.unref(); // an idle thread keeps no process alive
      return;
    }
    thread ??= startThread();
    thread.ref();
    deadline = setTimeout(giveUp, deadlineMs);
    thread.postMessage(running.file satisfies CheckTask);
  };

  const inThread = async (file: SentFile, signal: AbortSignal): Promise<Verdict> => {
    if (isClosed) throw new TooManyLessons('no lesson is checked any more');
    if (waiting.length >= maxWaiting) throw new TooManyLessons('too many large lessons are being checked');
    const { promise, resolve, reject } = Promise.withResolvers<Verdict>();
    const item: Item = { file, answer: resolve, fail: reject };
    const abort = () => {
      const index = waiting.indexOf(item);
      if (index >= 0) waiting.splice(index, 1);
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    waiting.push(item);
    if (!running) startNext();
    return promise.finally(() => signal.removeEventListener('abort', abort));
  };

  const close = async () => {
    isClosed = true;
    clearTimeout(deadline);
    for (const { fail } of [...(running ? [running] : []), ...waiting.splice(0)])
      fail(new TooManyLessons('no lesson is checked any more'));
    running = undefined;
    const last = thread;
    thread = undefined;
    await last?.terminate();
  };

  return {
    check: async (file, signal) => {
      signal.throwIfAborted();
      return file.bytes.length <= maxInlineBytes ? checkLesson(file) : inThread(file, signal);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
};
