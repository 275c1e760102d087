import { describe, expect, it } from 'vitest';
import { createLog } from './log.ts';
import { shutDown } from './shut-down.ts';

const log = createLog('test', 'silent');

describe('shutting down', () => {
  it('runs the steps in order, past one that fails and one that hangs', async () => {
    const ran: string[] = [];
    await shutDown(
      [
        { name: 'fails', withinMs: 1_000, run: () => Promise.reject(new Error('no')) },
        { name: 'hangs', withinMs: 10, run: () => new Promise(() => {}) },
        { name: 'last', withinMs: 1_000, run: () => void ran.push('last') },
      ],
      log,
    );
    expect(ran).toEqual(['last']);
  });

  it('tells a late step that its time is over', async () => {
    let told = false;
    const late = (signal: AbortSignal) =>
      new Promise<void>(() => signal.addEventListener('abort', () => (told = true)));
    await shutDown([{ name: 'late', withinMs: 10, run: late }], log);
    expect(told).toBe(true);
  });
});
