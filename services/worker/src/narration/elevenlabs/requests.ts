import { levelStretch } from '../level-stretch.ts';
import type { CastSegment, Utterance } from '../narrate-segments.ts';
import type { NarrationRequest } from '../narrator.ts';
import type { SpeechRequest } from '../speech.ts';
import { dialogueChunks } from './dialogue-chunks.ts';
import { DIALOGUE_MODEL, takesContext } from './models.ts';

export const ENGINE = 'elevenlabs';

/** To be raised when the same request begins to sound different, or is sent differently. */
export const ENGINE_VERSION = '1';

/** Rates that the account may ask for as PCM and that an MP3 can have. */
export type OutputRate = 16_000 | 22_050 | 24_000 | 44_100;

export type VoiceSettings = {
  /** Of single turns; dialogues have a model of their own. */
  readonly modelId: string;
  readonly outputRate: OutputRate;
  /** Silence at the end of a narration. */
  readonly tailMs: number;
  /** Of dialogues: ISO 639-1, 0 to 1, and a whole number. Null leaves it to ElevenLabs. */
  readonly language: string | null;
  readonly stability: number | null;
  readonly seed: number | null;
};

/** Version 3 knows three degrees: creative, natural and robust. Anything else is refused. */
const STABILITY_STEP = 0.5;

const common = ({ outputRate }: VoiceSettings) => ({
  engine: ENGINE,
  engineVersion: ENGINE_VERSION,
  format: `pcm_${outputRate}` as const,
});

/**
 * One request a segment. The text around it is told only inside a turn that had to be cut: there the voice goes on in
 * the middle of a thought. Across turns it would have an edited line spoken again together with its neighbours.
 */
const monologue = (segments: readonly CastSegment[], level: string, settings: VoiceSettings): Utterance[] => {
  const { modelId } = settings;
  const speed = Math.round(100 / levelStretch(level)) / 100;
  const sameTurn = (one: CastSegment, other: CastSegment | undefined) =>
    other?.line === one.line && other.voiceId === one.voiceId && takesContext(modelId) ? other.text : null;
  return segments.map((segment, index) => ({
    segments: [segment],
    request: {
      ...common(settings),
      model: modelId,
      language: null,
      settings: {
        way: 'speech',
        speed: speed !== 1 && takesContext(modelId) ? speed : null,
        previousText: sameTurn(segment, segments[index - 1]),
        nextText: sameTurn(segment, segments[index + 1]),
      },
      turns: [{ voice: segment.voiceId, text: segment.text }],
    },
  }));
};

const dialogue = (segments: readonly CastSegment[], settings: VoiceSettings): Utterance[] => {
  const { language, stability, seed } = settings;
  return dialogueChunks(segments).map((chunk) => ({
    segments: chunk,
    request: {
      ...common(settings),
      model: DIALOGUE_MODEL,
      language,
      settings: {
        way: 'dialogue',
        stability: stability === null ? null : Math.round(stability / STABILITY_STEP) * STABILITY_STEP,
        seed,
      },
      turns: chunk.map(({ voiceId, text }) => ({ voice: voiceId, text })),
    },
  }));
};

/** The requests that narrate these segments. */
export const utterancesOf =
  (settings: VoiceSettings) =>
  (
    segments: readonly CastSegment[],
    { mode, level }: Pick<NarrationRequest, 'mode' | 'level'>,
  ): Utterance[] =>
    mode === 'dialogue' ? dialogue(segments, settings) : monologue(segments, level, settings);

/** Where a request goes and with what body, by the published interface. */
export const callOf = ({ model, language, settings, turns }: SpeechRequest) => {
  if (settings.way === 'dialogue')
    return {
      path: '/v1/text-to-dialogue/with-timestamps',
      voice: null,
      body: {
        inputs: turns.map(({ voice, text }) => ({ text, voice_id: voice })),
        model_id: model,
        ...(language !== null && { language_code: language }),
        ...(settings.stability !== null && { settings: { stability: settings.stability } }),
        ...(settings.seed !== null && { seed: settings.seed }),
      },
    };
  const [turn] = turns;
  const voice = turn?.voice ?? '';
  return {
    path: `/v1/text-to-speech/${encodeURIComponent(voice)}/with-timestamps`,
    voice,
    body: {
      text: turn?.text ?? '',
      model_id: model,
      ...(settings.speed !== null && { voice_settings: { speed: settings.speed } }),
      ...(settings.previousText !== null && { previous_text: settings.previousText }),
      ...(settings.nextText !== null && { next_text: settings.nextText }),
    },
  };
};
