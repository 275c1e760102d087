import type { CastEntry } from './casting.ts';
import type { Segment } from './segments.ts';
import type { Voice } from './voice.ts';

export type NarrationRequest = {
  readonly segments: readonly Segment[];
  readonly cast: readonly Pick<CastEntry, 'speaker' | 'voiceId'>[];
  /** CEFR level of the lesson; beginners hear slower speech where the narrator can. */
  readonly level: string;
  /** For the file's tag. */
  readonly title: string;
  /** ISO 639-1; English when not given. */
  readonly language?: string;
  /** Speaks everything again, whatever the cache holds. */
  readonly force?: boolean;
};

export type NarratedSegment = {
  readonly speaker: string;
  readonly text: string;
  readonly voiceId: string;
  readonly startMs: number;
  readonly endMs: number;
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
  /** How many segments were synthesised and how many were cached; together all of them. */
  readonly synthesized: number;
  readonly cached: number;
};

export type NarrationOptions = {
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
};

/** Turns cast segments into one MP3. Rejects with a NarrationError, or with the signal's reason. */
export type Narrator = {
  readonly engine: string;
  readonly voices: () => readonly Voice[];
  /** Whether `cast` may name voices that `voices` does not list. */
  readonly acceptsRawVoiceIds: boolean;
  readonly narrate: (request: NarrationRequest, options: NarrationOptions) => Promise<Narration>;
};
