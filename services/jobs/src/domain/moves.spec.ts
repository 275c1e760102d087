import { describe, expect, it } from 'vitest';
import { aJob, now } from '../../test/builders.ts';
import * as changes from './changes.ts';
import type { JobState } from './job.ts';
import { isFinal, type JobVerb, MOVES } from './moves.ts';

const STATES = Object.keys(MOVES) as JobState[];
const nothing = { steps: [], warnings: [], findings: [], artifacts: [], lesson: null, narration: null };
const passing = { code: 'x', message: 'x', step: null, retryable: true };
const hopeless = { ...passing, retryable: false };

/** Each verb as the code carries it out. */
const DO: Record<JobVerb, (state: JobState) => changes.Change | null> = {
  start: (state) => changes.start(aJob({ state }), 'w', 1_000, now),
  retry: (state) => changes.fail(aJob({ state }), passing, nothing, { now, retryAfterMs: 0, random: 0 }),
  succeed: (state) => changes.succeed(aJob({ state }), nothing, now),
  fail: (state) => changes.fail(aJob({ state }), hopeless, nothing, { now, retryAfterMs: 0, random: 0 }),
  cancel: (state) => changes.cancel(aJob({ state }), { reason: null, actor: 'ana' }, now),
};

/** The agreed table, written out once more on purpose: a change of MOVES must be meant. */
const ALLOWED: Record<string, JobState> = {
  'queued start': 'running',
  'queued cancel': 'cancelled',
  'running retry': 'queued',
  'running succeed': 'succeeded',
  'running fail': 'failed',
  'running cancel': 'cancelled',
};

describe('the transition table', () => {
  it.each(STATES.flatMap((state) => (Object.keys(DO) as JobVerb[]).map((verb) => [state, verb] as const)))(
    '%s, asked to %s',
    (state, verb) => {
      const to = ALLOWED[`${state} ${verb}`] ?? null;
      expect(MOVES[state][verb] ?? null).toBe(to);
      expect(DO[verb](state)?.fields.state ?? null).toBe(to);
    },
  );

  it('knows three final states', () => {
    expect(STATES.filter(isFinal)).toEqual(['succeeded', 'failed', 'cancelled']);
  });
});
