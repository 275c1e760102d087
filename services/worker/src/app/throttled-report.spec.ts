import { createLog } from '@esl/kit/log';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunProgress } from '../pipeline/run-pipeline.ts';
import { REPORT_EVERY_MS, throttledReport } from './throttled-report.ts';

const log = createLog('test', 'silent');
const at = (done: number): RunProgress => ({
  steps: [],
  progress: { step: 'tts', done, total: 9 },
  lesson: null,
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const reporting = (send?: () => Promise<void>) => {
  const sent: [number, number | undefined][] = [];
  const report = throttledReport(async (sequence, { progress }) => {
    sent.push([sequence, progress?.done]);
    await send?.();
  }, log);
  return { sent, report };
};

describe('telling progress', () => {
  it('tells nothing of a run that ends soon', async () => {
    const { sent, report } = reporting();
    report.changed(at(1));
    report.close();
    await vi.advanceTimersByTimeAsync(10 * REPORT_EVERY_MS);
    expect(sent).toEqual([]);
  });

  it('tells the latest, at most once per interval, and only when something changed', async () => {
    const { sent, report } = reporting();
    report.changed(at(1));
    report.changed(at(2));
    await vi.advanceTimersByTimeAsync(REPORT_EVERY_MS);
    report.changed(at(3));
    await vi.advanceTimersByTimeAsync(10 * REPORT_EVERY_MS);
    expect(sent).toEqual([
      [1, 2],
      [2, 3],
    ]);
  });

  it('goes on after a report that failed', async () => {
    const { sent, report } = reporting(() => Promise.reject(new Error('no bus')));
    report.changed(at(1));
    await vi.advanceTimersByTimeAsync(REPORT_EVERY_MS);
    report.changed(at(2));
    await vi.advanceTimersByTimeAsync(REPORT_EVERY_MS);
    expect(sent.map(([sequence]) => sequence)).toEqual([1, 2]);
  });
});
