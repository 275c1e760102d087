import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A server that runs: a child process, a container, or one that someone else keeps (`pid` 0). */
export type Server = {
  readonly url: string;
  readonly pid: number;
  /** How it ended: `exit 0`, or the signal that ended it. */
  readonly exited: Promise<string>;
  /** SIGTERM, and SIGKILL when it is still there after `withinMs`. */
  readonly stop: (withinMs?: number) => Promise<void>;
  readonly kill: (signal: NodeJS.Signals) => Promise<void>;
};

const STOP_MS = 4_000;
const READY_MS = 30_000;

/** Resolves with how a process ended, also when it never began. */
export const endOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
    child.once('error', ({ message }) => resolve(message));
  });

/** A server that is not ours to start or stop. */
export const keptElsewhere = (url: string): Server => ({
  url,
  pid: 0,
  exited: new Promise(() => {}),
  stop: async () => {},
  kill: async () => {},
});

/** Starts a program in a process group of its own, and waits until `ready` resolves. */
export const startProgram = async (
  binary: string,
  args: readonly string[],
  { url, logFile, ready }: { url: string; logFile: string; ready: () => Promise<unknown> },
): Promise<Server> => {
  const log = openSync(logFile, 'a');
  const child: ChildProcess = spawn(binary, args, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  const exited = endOf(child);
  let isOver = false;
  void exited.then(() => {
    isOver = true;
  });
  const kill = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exited;
  };
  const stop = async (withinMs = STOP_MS) => {
    child.kill('SIGTERM');
    const late = await Promise.race([exited.then(() => false), delay(withinMs, true, { ref: false })]);
    if (late) await kill('SIGKILL');
  };
  const deadline = Date.now() + READY_MS;
  for (;;) {
    try {
      await ready();
      return { url, pid: child.pid ?? 0, exited, stop, kill };
    } catch (error) {
      if (isOver) throw new Error(`${binary} ended at once; its log is ${logFile}`, { cause: error });
      if (Date.now() > deadline) {
        await kill('SIGKILL');
        throw new Error(`${binary} was not ready within ${READY_MS / 1_000} s; its log is ${logFile}`, {
          cause: error,
        });
      }
      await delay(50);
    }
  }
};
