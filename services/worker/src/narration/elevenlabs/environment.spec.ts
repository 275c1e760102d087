import { readEnv } from '@esl/kit/env';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { elevenLabsEnv, systemKeyOf, voiceSettingsOf } from './environment.ts';

const read = (env: Record<string, string> = {}) => readEnv(z.object(elevenLabsEnv), env);
const settings = (env: Record<string, string>) => voiceSettingsOf(read(env));

describe('what the environment says of ElevenLabs', () => {
  it('is nothing at first: no account, and what every plan can do', () => {
    expect(systemKeyOf(read())).toBeNull();
    expect(voiceSettingsOf(read())).toEqual({
      modelId: 'eleven_multilingual_v2',
      outputRate: 24_000,
      tailMs: 400,
      language: null,
      stability: null,
      seed: null,
    });
    expect(read()).toMatchObject({
      ELEVENLABS_CONCURRENCY: 3,
      ELEVENLABS_BASE_URL: 'https://api.elevenlabs.io',
    });
  });

  it('is a key under either name', () => {
    expect(systemKeyOf(read({ ELEVENLABS_API_TOKEN: 'b' }))).toBe('b');
    expect(systemKeyOf(read({ ELEVENLABS_API_KEY: 'a', ELEVENLABS_API_TOKEN: 'b' }))).toBe('a');
  });

  it('is how dialogues sound', () => {
    const dialogue = { _LANGUAGE: 'en', _STABILITY: '0.6', _SEED: '7' };
    const env = Object.fromEntries(
      Object.entries(dialogue).map(([name, value]) => [`ELEVENLABS_DIALOGUE${name}`, value]),
    );
    expect(settings(env)).toMatchObject({ language: 'en', stability: 0.6, seed: 7 });
  });

  it.each([
    ['pcm_44100', 44_100],
    ['pcm_16000', 16_000],
    ['pcm_8000', 24_000],
    ['mp3_22050_32', 24_000],
  ])('a format of %s asks for samples at %i Hz', (format, outputRate) => {
    expect(settings({ ELEVENLABS_OUTPUT_FORMAT: format })).toMatchObject({ outputRate });
  });

  it.each([
    ['0', 300],
    ['2.5', 2_500],
    ['60', 10_000],
  ])('a tail of %s s is %i ms', (ELEVENLABS_SILENCE_TAIL_SECONDS, tailMs) => {
    expect(settings({ ELEVENLABS_SILENCE_TAIL_SECONDS })).toMatchObject({ tailMs });
  });

  it.each([
    { ELEVENLABS_DIALOGUE_STABILITY: '1.5' },
    { ELEVENLABS_DIALOGUE_SEED: '-1' },
    { ELEVENLABS_DIALOGUE_SEED: '4294967296' },
    { ELEVENLABS_DIALOGUE_LANGUAGE: 'english' },
    { ELEVENLABS_CONCURRENCY: '0' },
    { ELEVENLABS_OUTPUT_FORMAT: 'loud' },
    { ELEVENLABS_MODEL_ID: '../v1/user' },
    { ELEVENLABS_BASE_URL: 'file:///etc' },
  ])('%j keeps the service from starting', (env) => {
    expect(() => read(env as Record<string, string>)).toThrow(Object.keys(env)[0]);
  });
});
