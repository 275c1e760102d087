/** A word and when it is said, in ms from the first sample. */
export type SpokenWord = { readonly text: string; readonly startMs: number; readonly endMs: number };

/** When one turn of a request sounds, in ms from the first sample; `words` is empty when the engine does not tell. */
export type SpokenTurn = {
  readonly startMs: number;
  readonly endMs: number;
  readonly words: readonly SpokenWord[];
};

/** What an engine made of a request. */
export type Speech = {
  /** 16-bit mono. */
  readonly samples: Int16Array;
  /** One for each turn of the request. */
  readonly turns: readonly SpokenTurn[];
};

/** Everything that decides how a request sounds. Equal requests have equal audio, whoever makes it and when. */
export type SpeechRequest = {
  readonly engine: string;
  /** Changes when the same request begins to sound different. */
  readonly engineVersion: string;
  readonly model: string;
  readonly language: string | null;
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
  readonly format: `pcm_${number}`;
  /** Exactly what is sent to the engine: one turn, or a dialogue spoken in one go. */
  readonly turns: readonly { readonly voice: string; readonly text: string }[];
};
