import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { commandOf } from './process-table.ts';

type Holder = { readonly pid: number; readonly command: string };

export type Lock = { readonly release: () => void };

const readHolder = (file: string): Holder | null => {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return null;
  }
};

const isHeld = ({ pid, command }: Holder): boolean => pid !== process.pid && commandOf(pid) === command;

/** Linking a finished file makes the lock appear whole or not at all. False when it is there already. */
const link = (from: string, to: string): boolean => {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
};

/** Moves a stale lock out of the way; one that another process has just renewed is put back. */
const clearStale = (file: string, holder: Holder | null): void => {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = readHolder(aside);
  if (moved && (moved.pid !== holder?.pid || moved.command !== holder.command)) link(aside, file);
  rmSync(aside, { force: true });
};

const held = new Set<string>();

/**
 * Takes a lock file, or says who holds it. The file names its holder, so a lock whose holder was killed is taken
 * over. One process can hold a lock once.
 */
export const tryLock = (file: string): Lock | { readonly heldBy: number } => {
  if (held.has(file)) return { heldBy: process.pid };
  mkdirSync(dirname(file), { recursive: true });
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify({ pid: process.pid, command: commandOf(process.pid) ?? '' }));
  try {
    while (!link(mine, file)) {
      const holder = readHolder(file);
      if (holder && isHeld(holder)) return { heldBy: holder.pid };
      clearStale(file, holder);
    }
  } finally {
    rmSync(mine, { force: true });
  }
  held.add(file);
  return {
    release: () => {
      held.delete(file);
      rmSync(file, { force: true });
    },
  };
};

/** Waits until the lock is free, and calls `onWait` once when it is not at first. */
export const lock = async (file: string, onWait: (heldBy: number) => void): Promise<Lock> => {
  for (let first = true; ; first = false) {
    const taken = tryLock(file);
    if ('release' in taken) return taken;
    if (first) onWait(taken.heldBy);
    await delay(200);
  }
};
