import { NarrationError, type NarrationErrorCode } from '../narration-error.ts';

/** An answer that is not audio. */
export type Refusal = {
  readonly status: number;
  /** ElevenLabs' own word for what is wrong, when there is one. */
  readonly word: string | null;
  readonly requestId: string | null;
  /** The voice that was to speak; null for a dialogue. */
  readonly voice: string | null;
};

/** Statuses after which the same request may succeed. */
const PASSING = new Set([408, 409, 425, 429, 500, 502, 503, 504]);

const AGAIN = 'then run the lesson again.';

const SENTENCES = {
  elevenlabs_key_rejected: () =>
    `ElevenLabs does not accept the API key: enter a valid one in the settings, ${AGAIN}`,
  elevenlabs_quota_exceeded: () =>
    `The ElevenLabs account has too few characters left for this lesson: add some, or wait for its next month, ${AGAIN} What was spoken so far is kept.`,
  elevenlabs_forbidden: () =>
    `The ElevenLabs account may not do this: check its plan, and that its API key may use text to speech, ${AGAIN}`,
  voice_not_found: (voice) =>
    `ElevenLabs does not know ${voice ? `the voice “${voice}”` : 'one of the voices'}: choose another one, ${AGAIN}`,
  elevenlabs_refused: () =>
    `ElevenLabs refused the text or the settings of the narration: choose other voices or another mode, ${AGAIN}`,
  elevenlabs_busy: () => 'ElevenLabs is busy with other requests of this account.',
  elevenlabs_unavailable: () => 'ElevenLabs did not answer as it should.',
} as const satisfies Partial<Record<NarrationErrorCode, (voice: string | null) => string>>;

const codeOf = ({ status, word }: Refusal): keyof typeof SENTENCES => {
  if (word === 'quota_exceeded' || status === 402) return 'elevenlabs_quota_exceeded';
  if (word === 'voice_not_found') return 'voice_not_found';
  if (word === 'missing_permissions' || word === 'detected_unusual_activity') return 'elevenlabs_forbidden';
  if (status === 401) return 'elevenlabs_key_rejected';
  if (status === 403) return 'elevenlabs_forbidden';
  if (status === 429) return 'elevenlabs_busy';
  return PASSING.has(status) || status > 500 ? 'elevenlabs_unavailable' : 'elevenlabs_refused';
};

/** What an answer means to a teacher. Its number and the request's name are in the cause, for the log. */
export const refused = (refusal: Refusal, retryAfterMs: number): NarrationError => {
  const code = codeOf(refusal);
  const { status, word, requestId, voice } = refusal;
  const cause = new Error(
    `ElevenLabs answered ${status} ${word ?? ''} to request ${requestId ?? 'without an id'}`,
  );
  return new NarrationError(code, SENTENCES[code](voice), { cause, retryAfterMs });
};

/** No usable answer came: the connection broke, time ran out, or it was not what the interface promises. */
export const unanswered = (cause: unknown): NarrationError =>
  new NarrationError('elevenlabs_unavailable', SENTENCES.elevenlabs_unavailable(), { cause });
