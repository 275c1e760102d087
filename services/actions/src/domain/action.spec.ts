import { accept } from '@esl/kit/outcome';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineAction, invalidState } from './action.ts';

const action = defineAction<{ voiceId?: string | undefined; speed?: number | undefined }, string>({
  type: 'rerun_audio',
  label: '',
  description: '',
  requiresFields: [],
  allowedIn: ['succeeded'],
  payload: z.object({ voiceId: z.string().optional(), speed: z.number().optional() }),
  refuses: ({ speed }) => (speed === 0 ? { code: 'empty_edit', message: 'Nothing moves.' } : null),
  run: async (target, payload) => accept({ message: `${target} ${JSON.stringify(payload)}` }),
});
const never = new AbortController().signal;

describe('an action', () => {
  it('runs with the fields it knows, and leaves out the rest', async () => {
    const ready = action.read({ voiceId: 'v-1', admin: true });
    expect(ready).toMatchObject({ ok: true, value: { payload: { voiceId: 'v-1' } } });
    expect(ready.ok && (await ready.value.run('job', never))).toEqual(
      accept({ message: 'job {"voiceId":"v-1"}' }),
    );
  });

  it('names a bad field by its own code, with all issues', () => {
    expect(action.read({ voiceId: 7, speed: 'x' })).toMatchObject({
      refusal: {
        code: 'invalid_voice_id',
        details: { issues: [{ path: 'voiceId' }, { path: 'speed' }] },
      },
    });
  });

  it('refuses what is no object', () => {
    for (const payload of [null, 'text', 7, ['a']])
      expect(action.read(payload)).toMatchObject({ refusal: { code: 'invalid_payload' } });
  });

  it('may refuse what its schema allows', () => {
    expect(action.read({ speed: 0 })).toMatchObject({ refusal: { code: 'empty_edit' } });
  });

  it('names itself and the state it is not possible in', () => {
    expect(invalidState('cancel', 'failed')).toMatchObject({
      refusal: {
        code: 'invalid_state',
        message: expect.stringMatching(/cancel.*failed/),
        details: { state: 'failed', action: 'cancel' },
      },
    });
  });
});
