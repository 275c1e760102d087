import { describe, expect, it } from 'vitest';
import { faultsOf } from '../cluster/event-log.ts';

const event = (id: string, name: string, state = 'queued') => ({ id, name, data: { jobId: 'a', state } });
const whole = [
  event('1', 'job_created'),
  event('2', 'job_state_changed', 'running'),
  event('3', 'job_progress', 'running'),
  event('4', 'job_state_changed', 'succeeded'),
];
const without = (id: string) => whole.filter((one) => one.id !== id);

describe('what a watcher saw of a job', () => {
  it('is without fault when every change came once and in order, also after a second attempt', () => {
    expect(faultsOf({ events: whole }, ['a'], whole)).toEqual([]);
    const again = [
      ...whole.slice(0, 3),
      event('5', 'job_state_changed', 'queued'),
      event('6', 'job_state_changed', 'running'),
      event('7', 'job_state_changed', 'succeeded'),
    ];
    expect(faultsOf({ events: again }, ['a'], again)).toEqual([]);
  });

  it('shows what is missing, came twice, came out of order, or could not be replayed', () => {
    expect(faultsOf({ events: without('2') }, [], whole)).toEqual(['1 events are missing, the first is 2']);
    expect(faultsOf({ events: [...whole, ...whole.slice(1, 2)] }, [], whole)).toEqual([
      '1 events came twice',
    ]);
    expect(faultsOf({ events: without('1') }, ['a'], [])).toEqual(['a: running succeeded']);
    expect(faultsOf({ events: [] }, ['a'], [])).toEqual(['a: nothing']);
    expect(faultsOf({ events: [...whole, event('9', 'resync')] }, [], whole)).toEqual(['1 times resync']);
  });
});
