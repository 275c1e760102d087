import { randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { CallFailed } from '@esl/kit/grpc-client';
import { type SealKeys, seal } from '@esl/kit/seal';
import { GetOwnerKeysResponseSchema } from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import { status } from '@grpc/grpc-js';
import { beforeEach, describe, expect, it } from 'vitest';
import { grpcOwnerKeys } from './grpc-owner-keys.ts';

const forever = new AbortController().signal;
const keysOf = (version: string): SealKeys => new Map([[version, randomBytes(32)]]);
const keys = keysOf('v1');

let answer: { notionToken?: string; elevenlabsKey?: string } | Error;
let asked: number;
let clock: number;
beforeEach(() => {
  answer = {};
  asked = 0;
  clock = 0;
});
const owners = (with_: SealKeys | null = keys) =>
  grpcOwnerKeys(
    {
      getOwnerKeys: async () => {
        asked += 1;
        if (answer instanceof Error) throw answer;
        return create(GetOwnerKeysResponseSchema, answer);
      },
    },
    with_,
    () => clock,
  );
const token = (ownerId = 'ana', purpose = 'notion_token') => seal(keys, { ownerId, purpose }, 'ntn_mine');

describe('the key of an owner', () => {
  it('is opened for its owner and purpose', async () => {
    answer = { notionToken: token() };
    const mine = owners();
    expect(await mine.find('ana', 'notion_token', forever)).toBe('ntn_mine');
    expect(await mine.find('ana', 'elevenlabs_key', forever)).toBeNull();
    expect(await mine.find('', 'notion_token', forever)).toBeNull();
  });

  it.each([
    ['was sealed for someone else', () => ({ notionToken: token('bob') }), keys],
    ['was sealed for something else', () => ({ notionToken: token('ana', 'elevenlabs_key') }), keys],
    ['needs a key that is gone', () => ({ notionToken: token() }), keysOf('v2')],
    ['needs a key, and there are none here', () => ({ notionToken: token() }), null],
    ['is damaged', () => ({ notionToken: token().slice(0, -4) }), keys],
  ])('ends the job when it %s, and says what to do', async (_, stored, known) => {
    answer = stored();
    const error = await owners(known)
      .find('ana', 'notion_token', forever)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'owner_key_unreadable',
      retryable: false,
      message:
        'Your Notion token can no longer be read. Enter it again in your settings, then retry the job.',
    });
  });

  it('is waited for while its keeper is away', async () => {
    answer = new CallFailed('GetOwnerKeys', status.UNAVAILABLE);
    await expect(owners().find('ana', 'notion_token', forever)).rejects.toMatchObject({
      code: 'service_unavailable',
      retryable: true,
    });
  });

  it('is asked for once, until it is old or something has changed', async () => {
    const mine = owners();
    await mine.find('ana', 'notion_token', forever);
    await mine.find('ana', 'elevenlabs_key', forever);
    expect(asked).toBe(1);
    mine.forget();
    await mine.find('ana', 'notion_token', forever);
    expect(asked).toBe(2);
    clock = 60_000;
    await mine.find('ana', 'notion_token', forever);
    expect(asked).toBe(3);
  });
});
