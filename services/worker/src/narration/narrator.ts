import type { CastEntry, CastingMode } from './casting.ts';
import type { Segment } from './segments.ts';
import type { SpokenWord } from './speech.ts';
import type { Voice } from './voice.ts';

export type NarrationRequest = {
  /** Whose narration it is, and who is billed for what has to be spoken. */
  readonly jobId: string;
  readonly segments: readonly Segment[];
  readonly cast: readonly Pick<CastEntry, 'speaker' | 'voiceId'>[];
  readonly mode: CastingMode;
  /** CEFR level of the lesson; beginners hear slower speech where the narrator can. */
  readonly level: string;
  /** For the file's tag. */
  readonly title: string;
  /** Speaks everything again, whatever the cache holds, but for what was spoken for this very job. */
  readonly force?: boolean;
};

export type NarratedSegment = {
  readonly speaker: string;
  readonly text: string;
  readonly voiceId: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Empty when the narrator does not know when each word is said. */
  readonly words: readonly SpokenWord[];
  /** Whether it cost no synthesis: spoken before, or the same as an earlier segment. */
  readonly cached: boolean;
};

export type Narration = {
  readonly mp3: Uint8Array;
  readonly durationMs: number;
  /** Of the MP3, in hex. */
  readonly sha256: string;
  readonly segments: readonly NarratedSegment[];
  /** Code points of all segments. */
  readonly characters: number;
  /** Code points that a paid provider counted for this job, now or in an earlier attempt. */
  readonly billedCharacters: number;
  /** How many segments were synthesised and how many were cached; together all of them. */
  readonly synthesized: number;
  readonly cached: number;
};

export type NarrationOptions = {
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
  /** Told the bill so far whenever it grows, so that a narration that fails halfway is not taken for free. */
  readonly onBilled?: (characters: number) => void;
};

/** Turns cast segments into one MP3. Rejects with a NarrationError, or with the signal's reason. */
export type Narrator = {
  readonly engine: string;
  readonly voices: (signal: AbortSignal) => Promise<readonly Voice[]>;
  /** Whether `cast` may name voices that `voices` does not list. */
  readonly acceptsRawVoiceIds: boolean;
  /** What else decides how a narration sounds, beside what is asked for: while it stays, an earlier one holds. */
  readonly settings: Readonly<Record<string, string | number | null>>;
  /** What these segments would cost if nothing of them were cached, in the provider's credits. */
  readonly estimateCost: (characters: number, mode: CastingMode) => number;
  readonly narrate: (request: NarrationRequest, options: NarrationOptions) => Promise<Narration>;
};
