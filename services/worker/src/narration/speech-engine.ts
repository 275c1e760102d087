import { Worker } from 'node:worker_threads';
import type { Span } from './assemble.ts';
import { NarrationError, type NarrationErrorCode } from './narration-error.ts';
import type { EncodeTask, SpeakTask, SpeechAnswer, SpeechTask } from './speech-worker.ts';

// The main loop's side of the speech thread.
//   E1. One thread, started by the first task; it is given one task at a time, the others wait in a bounded queue.
//   E2. Aborting a task rejects it at once. A waiting one is never started; the result of a running one is dropped.
//   E3. A thread that dies, or takes too long, is replaced. The task it died on gets one more try.
//   E4. Every task settles, also when the engine is closed.

export type EncodedTrack = {
  readonly mp3: Uint8Array;
  readonly durationMs: number;
  readonly spans: readonly Span[];
  readonly skippedMs: readonly number[];
};

export type SpeechEngine = AsyncDisposable & {
  /** ASCII text to 16 kHz samples. Rejects with a NarrationError, or with the signal's reason. */
  readonly speak: (task: Omit<SpeakTask, 'kind'>, signal: AbortSignal) => Promise<Int16Array>;
  /** Joins parts of any narrator into one MP3. */
  readonly encode: (task: Omit<EncodeTask, 'kind'>, signal: AbortSignal) => Promise<EncodedTrack>;
  readonly close: () => Promise<void>;
};

export type SpeechEngineOptions = {
  /** The thread's module. */
  readonly entry?: URL;
  readonly maxQueued?: number;
  /** Far above the 10 s that the longest narration takes to encode: only a stuck thread runs into it. */
  readonly taskTimeoutMs?: number;
};

type Item = {
  readonly task: SpeechTask;
  readonly settle: (answer: { value: unknown } | { error: unknown }) => void;
  isSettled: boolean;
  triesLeft: number;
};

export const speechEngine = (options: SpeechEngineOptions = {}): SpeechEngine => {
  const {
    entry = new URL('./speech-worker.ts', import.meta.url),
    maxQueued = 256,
    taskTimeoutMs = 60_000,
  } = options;
  const queue: Item[] = [];
  let running: Item | undefined;
  let thread: Worker | undefined;
  let deadline: NodeJS.Timeout | undefined;
  let lastId = 0;
  let isClosed = false;

  const fail = (item: Item | undefined, code: NarrationErrorCode, message: string, cause?: unknown) =>
    item?.settle({ error: new NarrationError(code, message, { cause }) });

  const startThread = (): Worker => {
    const started = new Worker(entry, { name: 'speech', env: {}, execArgv: [] });
    started.on('message', (answer: SpeechAnswer) => {
      if (started !== thread || answer.id !== lastId) return;
      if (answer.ok) running?.settle({ value: answer.value });
      else fail(running, 'speech_failed', answer.message);
      finishTask();
    });
    started.on('error', (error) => loseThread(started, error));
    started.on('exit', (code) => loseThread(started, new Error(`the speech thread ended with ${code}`)));
    return started;
  };

  const loseThread = (lost: Worker, cause: unknown) => {
    if (lost !== thread) return;
    thread = undefined;
    const item = running;
    if (item && !item.isSettled && item.triesLeft-- > 0) queue.unshift(item);
    else fail(item, 'speech_thread_lost', 'the speech thread died twice on the same task', cause);
    finishTask();
  };

  const giveUpOnThread = () => {
    fail(running, 'speech_timed_out', `the speech thread did not answer within ${taskTimeoutMs} ms`);
    const stuck = thread;
    thread = undefined;
    void stuck?.terminate();
    finishTask();
  };

  const finishTask = () => {
    clearTimeout(deadline);
    running = undefined;
    startNext();
  };

  const startNext = () => {
    if (running || isClosed) return;
    running = queue.shift();
    if (!running) {
      thread?.unref(); // an idle thread keeps no process alive
      return;
    }
    thread ??= startThread();
    thread.ref();
    deadline = setTimeout(giveUpOnThread, taskTimeoutMs);
    thread.postMessage({ id: ++lastId, task: running.task });
  };

  const submit = (task: SpeechTask, signal: AbortSignal): Promise<unknown> => {
    signal.throwIfAborted();
    if (isClosed) throw new NarrationError('speech_engine_closed', 'the speech engine is closed');
    if (queue.length >= maxQueued)
      throw new NarrationError('speech_queue_full', `${maxQueued} speech tasks are waiting already`);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const item: Item = {
      task,
      isSettled: false,
      triesLeft: 1,
      settle: (answer) => {
        item.isSettled = true;
        signal.removeEventListener('abort', abort);
        if ('error' in answer) reject(answer.error);
        else resolve(answer.value);
      },
    };
    const abort = () => {
      const waiting = queue.indexOf(item);
      if (waiting >= 0) queue.splice(waiting, 1);
      item.settle({ error: signal.reason });
    };
    signal.addEventListener('abort', abort, { once: true });
    queue.push(item);
    startNext();
    return promise;
  };

  const close = async () => {
    isClosed = true;
    clearTimeout(deadline);
    for (const item of [...(running ? [running] : []), ...queue.splice(0)])
      fail(item, 'speech_engine_closed', 'the speech engine was closed');
    running = undefined;
    const last = thread;
    thread = undefined;
    await last?.terminate();
  };

  return {
    speak: async (task, signal) => (await submit({ kind: 'speak', ...task }, signal)) as Int16Array,
    encode: async (task, signal) => (await submit({ kind: 'encode', ...task }, signal)) as EncodedTrack,
    close,
    [Symbol.asyncDispose]: close,
  };
};
