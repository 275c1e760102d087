import { BlobStoreFault } from '@esl/kit/blob-store';
import { CallFailed, Refused } from '@esl/kit/grpc-client';
import { describe, expect, it } from 'vitest';
import { expected } from './problem.ts';

/** Status codes of gRPC (grpc/grpc, doc/statuscodes.md). */
const status = { INVALID_ARGUMENT: 3, DEADLINE_EXCEEDED: 4, INTERNAL: 13, UNAVAILABLE: 14 };

const refused = (code: string, at: number) => new Refused({ code, message: 'No.' }, at);

describe('what another service says', () => {
  it.each([
    ['it does not answer', new CallFailed('Get', status.UNAVAILABLE)],
    ['it keeps the files', new BlobStoreFault('denied')],
    ['it is late', new CallFailed('Get', status.DEADLINE_EXCEEDED)],
    ['what it needs does not answer', refused('unavailable', status.DEADLINE_EXCEEDED)],
  ])('is a 503 when %s', (_, error) => {
    expect(expected(error)).toMatchObject({
      status: 503,
      envelope: { code: 'unavailable' },
      headers: { 'retry-after': '1' },
    });
  });

  it('is passed on when it refuses what the client wants', () => {
    expect(expected(refused('unknown_preset', status.INVALID_ARGUMENT))).toMatchObject({
      status: 400,
      envelope: { error: 'validation_failed', code: 'unknown_preset' },
    });
  });

  it('is a fault of ours otherwise', () => {
    expect(expected(refused('scope_required', status.INVALID_ARGUMENT))).toBeNull();
    expect(expected(new CallFailed('Get', status.INTERNAL))).toBeNull();
  });
});
