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
  if (isSystemError(error))
    return new RunError('storage_unavailable', 'The lesson’s files could not be read or written.', {
      retryable: true,
      cause: error,
    });
  return new RunError('internal_error', 'Something went wrong while working on this lesson.', {
    retryable: true,
    cause: error,
  });
};
