import { beforeEach, describe, expect, it } from 'vitest';
import { chooseNarrator } from './choose-narrator.ts';
import type { Narrator } from './narrator.ts';

const aNarrator = (engine: string): Narrator => ({
  engine,
  voices: async () => [],
  acceptsRawVoiceIds: false,
  settings: {},
  estimateCost: () => 0,
  narrate: () => Promise.reject(new Error('not asked for here')),
});
const local = aNarrator('local');

let opened: string[];
beforeEach(() => {
  opened = [];
});
const choosing = () =>
  chooseNarrator({
    local,
    elevenLabs: (apiKey) => {
      opened.push(apiKey);
      return aNarrator('elevenlabs');
    },
  });

describe('who narrates', () => {
  it('is ElevenLabs for whoever has a key', () => {
    const { narrator, notice } = choosing()({ apiKey: 'k1', ttsProvider: null });
    expect([narrator.engine, notice]).toEqual(['elevenlabs', null]);
  });

  it('is the local narrator for whoever wants it, without a word', () => {
    expect(choosing()({ apiKey: 'k1', ttsProvider: 'local' })).toEqual({ narrator: local, notice: null });
  });

  it('is the local narrator for whoever has no key, and says so', () => {
    expect(choosing()({ apiKey: null, ttsProvider: 'elevenlabs' })).toMatchObject({
      narrator: { engine: 'local' },
      notice: { code: 'narrated_locally' },
    });
  });

  it('is one and the same for all jobs of a key, which share its limit', () => {
    const choose = choosing();
    const [one, again, other] = ['k1', 'k1', 'k2'].map((apiKey) => choose({ apiKey, ttsProvider: null }));
    expect(again?.narrator).toBe(one?.narrator);
    expect(other?.narrator).not.toBe(one?.narrator);
    expect(opened).toEqual(['k1', 'k2']);
  });

  it('remembers only so many keys, the last ones used', () => {
    const choose = choosing();
    const use = (apiKey: string) => choose({ apiKey, ttsProvider: null });
    for (let index = 0; index < 201; index += 1) {
      use(`k${index}`);
      use('often');
    }
    use('often');
    use('k0');
    expect(opened.filter((key) => key === 'often')).toHaveLength(1);
    expect(opened.filter((key) => key === 'k0')).toHaveLength(2);
  });
});
