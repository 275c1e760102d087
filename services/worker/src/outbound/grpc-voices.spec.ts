import { create } from '@bufbuild/protobuf';
import { CallFailed } from '@esl/kit/grpc-client';
import { ListVoicesResponseSchema } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { grpcVoices } from './grpc-voices.ts';

const signal = new AbortController().signal;
const wren = { id: 'v1', name: 'Wren', labels: { accent: 'irish' } };

const asking = () => {
  const time = { ms: 0 };
  const now = { version: 'a', fault: null as Error | null };
  const asked: object[] = [];
  const listVoices = async (request: { knownVersion?: string }) => {
    asked.push(request);
    if (now.fault) throw now.fault;
    const { version } = now;
    const voices = request.knownVersion === version ? [] : [{ ...wren, name: `Wren ${version}` }];
    return create(ListVoicesResponseSchema, { version, voices });
  };
  return { voices: grpcVoices({ listVoices }, () => time.ms), asked, time, now };
};

describe('ElevenLabs’ voices', () => {
  it('are asked for once, until they are old or have changed', async () => {
    const { voices, asked, time, now } = asking();
    expect(await voices.list(signal)).toEqual([
      { id: 'v1', name: 'Wren a', category: '', labels: { accent: 'irish' } },
    ]);
    await voices.list(signal);
    expect(asked).toEqual([{ knownVersion: '', narrator: 'elevenlabs' }]);
    time.ms = 60_000;
    expect((await voices.list(signal))[0]?.name).toBe('Wren a');
    expect(asked).toHaveLength(2);
    now.version = 'b';
    voices.forget();
    expect((await voices.list(signal))[0]?.name).toBe('Wren b');
    expect(asked.at(-1)).toEqual({ knownVersion: 'a', narrator: 'elevenlabs' });
  });

  it('are waited for while the catalog is away', async () => {
    const { voices, now } = asking();
    now.fault = new CallFailed('ListVoices', status.UNAVAILABLE);
    await expect(voices.list(signal)).rejects.toMatchObject({ retryable: true });
  });
});
