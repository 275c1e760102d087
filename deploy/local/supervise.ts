import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { endOf, type Server } from './server.ts';

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 5_000;
/** A process that lived this long starts over with the first backoff. */
const HEALTHY_MS = 30_000;

/** Something that is started again when it ends, until it is stopped. */
export type Supervised = { readonly stop: (withinMs?: number) => Promise<void> };

/** Starts `start` again with backoff whenever what it started has ended. The first start must succeed. */
export const supervise = async (
  start: () => Promise<Server>,
  onStart: (server: Server) => void,
  say: (line: string) => void,
): Promise<Supervised> => {
  const stopping = new AbortController();
  let current = await start();
  onStart(current);
  const watch = async () => {
    let backoffMs = FIRST_BACKOFF_MS;
    while (!stopping.signal.aborted) {
      const began = Date.now();
      const how = await current.exited;
      if (Date.now() - began > HEALTHY_MS) backoffMs = FIRST_BACKOFF_MS;
      if (!stopping.signal.aborted) say(`ended (${how}), starting it again in ${backoffMs} ms`);
      await delay(backoffMs, null, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return;
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
      try {
        current = await start();
        onStart(current);
      } catch (error) {
        say(`could not start: ${(error as Error).message}`);
      }
      if (stopping.signal.aborted) await current.stop(0);
    }
  };
  const watching = watch();
  return {
    stop: async (withinMs) => {
      stopping.abort();
      await current.stop(withinMs);
      await watching;
    },
  };
};

const STOP_MS = 8_000;

/** One service process in a group of its own; it ends by itself when we are gone, because its input ends. */
export const startService = (
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  onLine: (line: string) => void,
): Server => {
  const [program = '', ...args] = command;
  const child: ChildProcess = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  child.stdin?.on('error', () => {});
  for (const stream of [child.stdout, child.stderr])
    if (stream) createInterface({ input: stream }).on('line', onLine);
  const exited = endOf(child);
  const kill = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exited;
  };
  return {
    url: '',
    pid: child.pid ?? 0,
    exited,
    kill,
    stop: async (withinMs = STOP_MS) => {
      child.kill('SIGTERM');
      const late = await Promise.race([exited.then(() => false), delay(withinMs, true, { ref: false })]);
      if (late) await kill('SIGKILL');
    },
  };
};

/** Resolves when the service's probe, /readyz or /livez, is ok. */
export const isReady = async (probe: string, withinMs: number, signal: AbortSignal): Promise<void> => {
  const deadline = Date.now() + withinMs;
  for (;;) {
    signal.throwIfAborted();
    const response = await fetch(probe, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
    if (response?.ok) return;
    if (Date.now() > deadline)
      throw new Error(`${probe} is not ok: ${(await response?.text()) ?? 'no answer'}`);
    await delay(100);
  }
};
