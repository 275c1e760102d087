export type NarrationErrorCode =
  | 'nothing_to_narrate'
  | 'narration_too_long'
  | 'voice_missing'
  | 'speech_failed'
  | 'speech_timed_out'
  | 'speech_thread_lost'
  | 'speech_queue_full'
  | 'speech_engine_closed';

const RETRYABLE: ReadonlySet<NarrationErrorCode> = new Set([
  'speech_timed_out',
  'speech_thread_lost',
  'speech_queue_full',
  'speech_engine_closed',
]);

/** Why a lesson could not be narrated. `retryable` when the same request may succeed later or elsewhere. */
export class NarrationError extends Error {
  override name = 'NarrationError';
  readonly code: NarrationErrorCode;
  readonly retryable: boolean;

  constructor(code: NarrationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryable = RETRYABLE.has(code);
  }
}
