import type { ServiceClient } from '@esl/kit/grpc-client';
import { createLog } from '@esl/kit/log';
import { type JobsService, RenewalState } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type RunLeases, runLeases } from './run-leases.ts';

const RENEW_MS = 1_000;
const LEASE_MS = 3_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Renew = ServiceClient<typeof JobsService>['renewRuns'];

/** A jobs service that answers each run with the state given for it, or not at all. */
const leasesWith = (states: Record<string, RenewalState>) => {
  const asked: string[][] = [];
  const answer = { isDown: false };
  const renewRuns = (async ({ runs = [] }) => {
    const ids = runs.map(({ jobId = '' }) => jobId);
    asked.push(ids);
    if (answer.isDown) throw new Error('no answer');
    return { renewals: ids.map((jobId) => ({ jobId, state: states[jobId] ?? RenewalState.HELD })) };
  }) as unknown as Renew;
  const log = createLog('test', 'silent');
  const leases = runLeases({ jobs: { renewRuns }, workerId: 'w1', renewMs: RENEW_MS, log });
  return { leases, asked, answer };
};
const hold = (leases: RunLeases, jobId: string, onBeat = () => {}) =>
  leases.hold({ jobId, attempt: 1 }, { leaseMs: LEASE_MS, askedAt: performance.now(), onBeat });

describe('leases', () => {
  it('are renewed together in one call, with a sign of life for each message', async () => {
    const { leases, asked } = leasesWith({});
    let beats = 0;
    const [a, b] = [hold(leases, 'a', () => (beats += 1)), hold(leases, 'b', () => (beats += 1))];
    await vi.advanceTimersByTimeAsync(5 * RENEW_MS);
    expect(asked).toEqual(Array(5).fill(['a', 'b']));
    expect(beats).toBe(10);
    a.check();
    a.release();
    b.release();
    await vi.advanceTimersByTimeAsync(5 * RENEW_MS);
    expect(asked).toHaveLength(5);
  });

  it.each([
    [RenewalState.CANCELLED, 'cancelled'],
    [RenewalState.LOST, 'lost'],
  ])('stop the run when the answer is %s', async (state, why) => {
    const { leases } = leasesWith({ a: state });
    const [a, b] = [hold(leases, 'a'), hold(leases, 'b')];
    await vi.advanceTimersByTimeAsync(RENEW_MS);
    expect(a.signal.reason).toMatchObject({ why });
    expect(() => a.check()).toThrow('stopped');
    expect(b.signal.aborted).toBe(false);
  });

  it('ask at once when a job that runs here may have been cancelled', async () => {
    const { leases, asked } = leasesWith({ a: RenewalState.CANCELLED });
    const a = hold(leases, 'a');
    leases.nudge('elsewhere');
    leases.nudge('a');
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toEqual([['a']]);
    expect(a.signal.reason).toMatchObject({ why: 'cancelled' });
  });

  it('are over when no renewal gets through in time, and not before', async () => {
    const { leases, answer } = leasesWith({});
    answer.isDown = true;
    const a = hold(leases, 'a');
    await vi.advanceTimersByTimeAsync(LEASE_MS - 1);
    a.check();
    await vi.advanceTimersByTimeAsync(1);
    expect(a.signal.reason).toMatchObject({ why: 'lost' });
  });

  it('survive a jobs service that is away for a while', async () => {
    const { leases, answer } = leasesWith({});
    const a = hold(leases, 'a');
    answer.isDown = true;
    await vi.advanceTimersByTimeAsync(LEASE_MS - RENEW_MS);
    answer.isDown = false;
    await vi.advanceTimersByTimeAsync(3 * LEASE_MS);
    expect(a.signal.aborted).toBe(false);
  });

  it('stop with the service, also those claimed just then', async () => {
    const { leases } = leasesWith({});
    const a = hold(leases, 'a');
    leases.stopAll();
    expect(a.signal.reason).toMatchObject({ why: 'stopping' });
    expect(hold(leases, 'b').signal.reason).toMatchObject({ why: 'stopping' });
  });
});
