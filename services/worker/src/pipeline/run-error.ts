import { BlobStoreFault, type BlobStoreFaultCode } from '@esl/kit/blob-store';
import { CallFailed, Refused } from '@esl/kit/grpc-client';
import { status } from '@grpc/grpc-js';
import { NarrationError } from '../narration/narration-error.ts';

/**
 * Why a run cannot go on. `code` is stable, `message` is one sentence for people, without secrets or paths.
 * Retryable: the same run may succeed later. Final: a person must change something first.
 */
export class RunError extends Error {
  override name = 'RunError';
  readonly code: string;
  readonly retryable: boolean;
  /** What the failing service asked for, in ms; 0 leaves it to the usual backoff. */
  readonly retryAfterMs: number;
  constructor(
    code: string,
    message: string,
    options: ErrorOptions & { readonly retryable: boolean; readonly retryAfterMs?: number },
  ) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

export const final = (code: string, message: string) => new RunError(code, message, { retryable: false });

/** A failed call to the operating system, as Node reports it. */
const isSystemError = (error: unknown): boolean =>
  error instanceof Error && 'syscall' in error && 'code' in error && /^E[A-Z0-9]+$/.test(String(error.code));

type Told = { readonly code: string; readonly message: string; readonly retryable: boolean };

const STORAGE: Readonly<Record<BlobStoreFaultCode, Told>> = {
  denied: {
    code: 'storage_denied',
    message:
      'The storage for lessons and audio refuses this system’s keys. Ask whoever runs the system to check them, then retry the job.',
    retryable: false,
  },
  no_bucket: {
    code: 'storage_missing',
    message:
      'The storage bucket for lessons and audio does not exist. Ask whoever runs the system to create it or to correct its name, then retry the job.',
    retryable: false,
  },
  full: {
    code: 'storage_full',
    message:
      'The storage for lessons and audio is full. Ask whoever runs the system to make room, then retry the job.',
    retryable: false,
  },
  unavailable: {
    code: 'storage_unavailable',
    message: 'The lesson’s files could not be read or written.',
    retryable: true,
  },
};

const storageError = (fault: BlobStoreFaultCode, cause: unknown): RunError => {
  const { code, message, retryable } = STORAGE[fault];
  return new RunError(code, message, { retryable, cause });
};

/** What any thrown error means to the run it ends. The original stays in `cause`, for the log. */
export const toRunError = (error: unknown): RunError => {
  if (error instanceof RunError) return error;
  if (error instanceof NarrationError)
    return new RunError(error.code, error.message, {
      retryable: error.retryable,
      retryAfterMs: error.retryAfterMs,
      cause: error,
    });
  const isPassing = error instanceof Refused && error.status === status.DEADLINE_EXCEEDED;
  if (error instanceof Refused && !isPassing)
    return new RunError(error.refusal.code, error.refusal.message, { retryable: false, cause: error });
  if (error instanceof CallFailed || isPassing)
    return new RunError('service_unavailable', 'A part of the system did not answer in time.', {
      retryable: true,
      cause: error,
    });
  if (error instanceof BlobStoreFault) return storageError(error.code, error);
  if (isSystemError(error)) return storageError('unavailable', error);
  return new RunError('internal_error', 'Something went wrong while working on this lesson.', {
    retryable: true,
    cause: error,
  });
};
