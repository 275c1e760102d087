/** What each code means for the run: `later` when the same request may succeed later or elsewhere. */
const CODES = {
  nothing_to_narrate: 'never',
  narration_too_long: 'never',
  voice_missing: 'never',
  speech_failed: 'never',
  speech_timed_out: 'later',
  speech_thread_lost: 'later',
  speech_queue_full: 'later',
  speech_engine_closed: 'later',
  elevenlabs_key_rejected: 'never',
  elevenlabs_quota_exceeded: 'never',
  elevenlabs_forbidden: 'never',
  elevenlabs_refused: 'never',
  voice_not_found: 'never',
  elevenlabs_busy: 'later',
  elevenlabs_unavailable: 'later',
} as const satisfies Record<string, 'later' | 'never'>;

export type NarrationErrorCode = keyof typeof CODES;

/** Why a lesson could not be narrated. `retryable` when the same request may succeed later or elsewhere. */
export class NarrationError extends Error {
  override name = 'NarrationError';
  readonly code: NarrationErrorCode;
  readonly retryable: boolean;
  /** What the provider asked for, in ms; 0 leaves it to the usual backoff. */
  readonly retryAfterMs: number;

  constructor(
    code: NarrationErrorCode,
    message: string,
    { retryAfterMs = 0, ...options }: ErrorOptions & { readonly retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryable = CODES[code] === 'later';
    this.retryAfterMs = retryAfterMs;
  }
}
