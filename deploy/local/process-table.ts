import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const ps = (pid: number, field: 'command' | 'ppid'): string | null => {
  try {
    return execFileSync('ps', ['-o', `${field}=`, '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
};

const procFile = (pid: number, name: string): string | null => {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return null;
  }
};

/**
 * The command line of a live process, or null. A pid alone names nobody: the system gives it to another process
 * later, so whoever acts on a remembered pid compares this first.
 */
export const commandOf = (pid: number): string | null =>
  process.platform === 'linux'
    ? procFile(pid, 'cmdline')?.replaceAll('\0', ' ').trim() || null
    : ps(pid, 'command') || null;

const parentOf = (pid: number): number =>
  process.platform === 'linux'
    ? Number(/^PPid:\s*(\d+)/m.exec(procFile(pid, 'status') ?? '')?.[1] ?? 0)
    : Number(ps(pid, 'ppid') ?? 0);

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** Sends a signal; a process that has already gone is no error. */
export const signalProcess = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

/** Ends a process that is not our child: SIGTERM, and SIGKILL when it is still there after `graceMs`. */
export const endProcess = async (pid: number, graceMs: number): Promise<void> => {
  signalProcess(pid, 'SIGTERM');
  const deadline = Date.now() + graceMs;
  while (isAlive(pid)) {
    if (Date.now() > deadline) signalProcess(pid, 'SIGKILL');
    await delay(50);
  }
};

/**
 * Resolves when one of the npm processes that launched this one has died. npm hands SIGINT and SIGTERM on, but a
 * SIGKILL ends it alone, and the stack would run on with nobody to stop it. Without npm it never resolves.
 */
export const launcherGone = async (): Promise<void> => {
  const chain: number[] = [];
  for (let pid = process.ppid; pid > 1 && chain.length < 16; pid = parentOf(pid)) chain.push(pid);
  const topmost = chain.findLastIndex((pid) => /^npm\b|\/npm(-cli\.js)?(\s|$)/.test(commandOf(pid) ?? ''));
  const launchers = chain.slice(0, topmost + 1);
  if (launchers.length === 0) return new Promise(() => {});
  while (launchers.every(isAlive)) await delay(500, undefined, { ref: false });
};
