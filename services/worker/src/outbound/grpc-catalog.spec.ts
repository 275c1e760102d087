import { create } from '@bufbuild/protobuf';
import { CallFailed, Refused } from '@esl/kit/grpc-client';
import { ResolveSettingsResponseSchema } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import type { SettingsWish } from '../pipeline/settings.ts';
import { grpcCatalog } from './grpc-catalog.ts';

const signal = new AbortController().signal;
const wish = (over: Partial<SettingsWish> = {}): SettingsWish => ({
  student: 'Mira',
  preset: null,
  voiceAccent: null,
  notionDatabase: null,
  mode: null,
  ownerId: '',
  ...over,
});
const calm = { name: 'calm-blue', h2: 'blue_background', toggleH2: 'blue' };

const asking = (fault?: () => Error) => {
  const time = { ms: 0 };
  const asked: object[] = [];
  const resolveSettings = async (request: object) => {
    asked.push(request);
    if (fault) throw fault();
    return create(ResolveSettingsResponseSchema, { preset: calm, voiceMap: { speakers: { Ines: 'v1' } } });
  };
  return { catalog: grpcCatalog({ resolveSettings }, () => time.ms), asked, time };
};

describe('the catalog', () => {
  it('says only what was said, and answers in the pipeline’s words', async () => {
    const { catalog, asked } = asking();
    expect(await catalog.resolve(wish({ voiceAccent: 'british' }), signal)).toEqual({
      preset: { name: 'calm-blue', colours: { h2: 'blue_background', toggleMap: { h2: 'blue' } } },
      voiceAccent: null,
      notionDatabase: null,
      mode: null,
      ttsProvider: null,
      voiceMap: { auto: false, speakers: { Ines: 'v1' } },
    });
    expect(asked).toEqual([{ student: 'Mira', ownerId: '', voiceAccent: 'british' }]);
  });

  it('is asked once for equal wishes, until it changes or the answer is old', async () => {
    const { catalog, asked, time } = asking();
    const resolve = (preset: string) => catalog.resolve(wish({ preset }), signal);
    await resolve('a');
    await resolve('a');
    expect(asked).toHaveLength(1);
    await resolve('b');
    expect(asked).toHaveLength(2);
    catalog.forget();
    await resolve('a');
    expect(asked).toHaveLength(3);
    time.ms = 60_000;
    await resolve('a');
    expect(asked).toHaveLength(4);
  });

  it('refuses for good what does not exist, and may answer later when it is away', async () => {
    const refusal = { code: 'unknown_preset', message: 'There is no such preset.' };
    const unknown = asking(() => new Refused(refusal, status.INVALID_ARGUMENT));
    const asked = unknown.catalog.resolve(wish(), signal);
    await expect(asked).rejects.toMatchObject({ ...refusal, retryable: false });
    const away = asking(() => new CallFailed('resolve', status.UNAVAILABLE));
    await expect(away.catalog.resolve(wish(), signal)).rejects.toMatchObject({ retryable: true });
  });
});
