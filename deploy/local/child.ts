import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { signalProcess } from './process-table.ts';

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A process we started, or a container that stands for one. */
export type Child = {
  /** Null for a container: its process belongs to another kernel or namespace. */
  readonly pid: number | null;
  readonly exited: Promise<Exit>;
  readonly kill: (signal?: NodeJS.Signals) => void;
  /** SIGTERM, and SIGKILL to its whole group when it is still there after `graceMs`. Resolves once it is gone. */
  readonly stop: (graceMs?: number) => Promise<void>;
  /** The last lines it printed, to explain an early end. */
  readonly lastLines: () => readonly string[];
};

export type Launch = {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly onLine?: (line: string) => void;
};

const MAX_LINE = 16_384;
const KEPT_LINES = 20;

/** Splits a stream into lines. A line without end is cut at `MAX_LINE` characters. */
const readLines = (stream: Readable, onLine: (line: string) => void): void => {
  let rest = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line.slice(0, MAX_LINE));
    if (rest.length > MAX_LINE) {
      onLine(rest.slice(0, MAX_LINE));
      rest = '';
    }
  });
  stream.once('end', () => rest && onLine(rest));
};

export const describeExit = ({ code, signal }: Exit): string =>
  signal ? `was ended by ${signal}` : `exited with ${code}`;

/**
 * Starts a process in a group of its own, so that Ctrl-C in the terminal reaches only us and the stop keeps its
 * order. Its stdin is a pipe that ends when we do. Rejects when the command cannot be run at all.
 */
export const launch = ({ command, args, env, cwd, onLine }: Launch): Promise<Child> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, cwd, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    const kept: string[] = [];
    const take = (line: string) => {
      kept.push(line);
      if (kept.length > KEPT_LINES) kept.shift();
      onLine?.(line);
    };
    readLines(child.stdout, take);
    readLines(child.stderr, take);
    child.stdin.on('error', () => {}); // the other end closed first: its exit tells the story
    const exited = new Promise<Exit>((exit) => {
      child.once('exit', (code, signal) => exit({ code, signal }));
    });
    child.once('error', reject);
    child.once('spawn', () => {
      const pid = child.pid as number;
      const kill = (signal: NodeJS.Signals = 'SIGTERM') => {
        if (child.exitCode === null && child.signalCode === null) signalProcess(pid, signal);
      };
      const stop = async (graceMs = 5_000) => {
        kill('SIGTERM');
        const timer = new AbortController();
        const late = delay(graceMs, true, { signal: timer.signal }).catch(() => false);
        const hangs = await Promise.race([late, exited.then(() => false)]);
        timer.abort();
        if (hangs) signalProcess(-pid, 'SIGKILL');
        await exited;
      };
      resolve({ pid, exited, kill, stop, lastLines: () => kept });
    });
  });
