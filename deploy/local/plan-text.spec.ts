import { describe, expect, it } from 'vitest';
import { planText } from './plan-text.ts';

const cast = [{ speaker: 'Ines', voiceId: 'v1', voiceName: 'Sarah', source: 'auto' }];
const plan = { mode: 'dialogue', segments: 4, characters: 180, estimatedCost: 90.5, blocks: 31, cast };
const finding = { code: 'INPUT_TYPE', severity: 'warning' as const, message: 'Odd.', line: 6, path: null };

describe('what a dry run shows', () => {
  it('is what a run would do and cost', () => {
    expect(planText('parcel', 'parcel.md', { ok: true, findings: [finding], meta: null, plan })).toBe(
      [
        'parcel: a run would',
        '  parcel.md:6 warning INPUT_TYPE: Odd.',
        '  publish  a page of 31 blocks',
        '  narrate  a dialogue of 4 segments, 180 characters, about 91 credits',
        '  cast     Ines by Sarah (fits best)',
      ].join('\n'),
    );
  });

  it('says that built-in voices are free', () => {
    const free = { ok: true, findings: [], meta: null, plan: { ...plan, estimatedCost: 0 } };
    expect(planText('parcel', 'parcel.md', free)).toContain('180 characters, for free');
  });

  it('is what is wrong, when something is', () => {
    const bad = { ...finding, severity: 'error' as const };
    expect(planText('parcel', 'parcel.md', { ok: false, findings: [bad], meta: null, plan: null })).toBe(
      'parcel: cannot be run\n  parcel.md:6 error INPUT_TYPE: Odd.',
    );
  });
});
