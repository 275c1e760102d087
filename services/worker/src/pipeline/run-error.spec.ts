import { BlobStoreFault } from '@esl/kit/blob-store';
import { Refused } from '@esl/kit/grpc-client';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { NarrationError } from '../narration/narration-error.ts';
import { RunError, toRunError } from './run-error.ts';

const systemError = (code: string) =>
  Object.assign(new Error(`${code}: open '/srv/blobs/x'`), { code, syscall: 'open' });

describe('what ends a run', () => {
  it.each([
    [new RunError('rate_limited', 'Slow down.', { retryable: true, retryAfterMs: 5 }), 'rate_limited', true],
    [new NarrationError('nothing_to_narrate', 'There is no text.'), 'nothing_to_narrate', false],
    [new NarrationError('speech_timed_out', 'Too slow.'), 'speech_timed_out', true],
    [
      new Refused({ code: 'unknown_preset', message: 'No.' }, status.INVALID_ARGUMENT),
      'unknown_preset',
      false,
    ],
    [
      new Refused({ code: 'unavailable', message: 'Wait.' }, status.DEADLINE_EXCEEDED),
      'service_unavailable',
      true,
    ],
    [new BlobStoreFault('denied'), 'storage_denied', false],
    [new BlobStoreFault('no_bucket'), 'storage_missing', false],
    [new BlobStoreFault('full'), 'storage_full', false],
    [new BlobStoreFault('unavailable'), 'storage_unavailable', true],
    [systemError('ENOSPC'), 'storage_unavailable', true],
    [systemError('EACCES'), 'storage_unavailable', true],
    [new TypeError('x is not a function'), 'internal_error', true],
    ['just text', 'internal_error', true],
  ])('%s is told as %s', (error, code, retryable) => {
    expect(toRunError(error)).toMatchObject({ code, retryable });
  });

  it('is told without anything of the machine', () => {
    expect(toRunError(systemError('ENOSPC')).message).not.toContain('/srv');
    expect(toRunError(new Error('secret token abc')).message).not.toContain('abc');
  });
});
