import { z } from 'zod';
import type { SpokenTurn, SpokenWord } from '../speech.ts';

/** The published `CharacterAlignmentResponseModel`: one entry a character of what was sent. */
const alignmentSchema = z.object({
  characters: z.array(z.string()),
  character_start_times_seconds: z.array(z.number()),
  character_end_times_seconds: z.array(z.number()),
});

/** The published `VoiceSegment`; `character_end_index` is exclusive. */
const voiceSegmentSchema = z.object({
  start_time_seconds: z.number(),
  end_time_seconds: z.number(),
  character_start_index: z.int(),
  character_end_index: z.int(),
  dialogue_input_index: z.int(),
});

/** Timings are a gift: an answer without them, or with odd ones, is still the audio that was paid for. */
export const timingsSchema = z.object({
  alignment: alignmentSchema.nullish().catch(null),
  voice_segments: z.array(voiceSegmentSchema).nullish().catch(null),
});
export type Timings = z.infer<typeof timingsSchema>;

const toMs = (seconds: number) => Math.max(0, Math.round(seconds * 1_000));

/** Characters to words: what stands between white space, from its first character to its last. */
const wordsOf = (alignment: Timings['alignment'], from: number, to: number): SpokenWord[] => {
  if (!alignment) return [];
  const words: SpokenWord[] = [];
  let isInWord = false;
  for (let index = from; index < Math.min(to, alignment.characters.length); index += 1) {
    const character = alignment.characters[index] ?? '';
    const startMs = toMs(alignment.character_start_times_seconds[index] ?? 0);
    const endMs = Math.max(startMs, toMs(alignment.character_end_times_seconds[index] ?? 0));
    const last = words.at(-1);
    if (character.trim() === '') isInWord = false;
    else if (isInWord && last) words.splice(-1, 1, { ...last, text: last.text + character, endMs });
    else {
      words.push({ text: character, startMs, endMs });
      isInWord = true;
    }
  }
  return words;
};

/**
 * When each turn of a request sounds. A dialogue whose answer says nothing of a turn is shared out by the number of
 * characters, so that a transcript is at worst a little early or late.
 */
export const turnsOf = (
  { alignment, voice_segments }: Timings,
  texts: readonly string[],
  durationMs: number,
): SpokenTurn[] => {
  if (texts.length === 1)
    return [{ startMs: 0, endMs: durationMs, words: wordsOf(alignment, 0, Number.POSITIVE_INFINITY) }];
  const segments = Map.groupBy(voice_segments ?? [], (segment) => segment.dialogue_input_index);
  const lengths = texts.map((text) => Array.from(text).length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  let before = 0;
  return lengths.map((length, index) => {
    const share = (characters: number) => Math.round((durationMs * characters) / Math.max(1, total));
    const guess = { startMs: share(before), endMs: share(before + length), words: [] };
    before += length;
    const said = segments.get(index);
    if (!said) return guess;
    return {
      startMs: Math.min(...said.map((each) => toMs(each.start_time_seconds))),
      endMs: Math.max(...said.map((each) => toMs(each.end_time_seconds))),
      words: said.flatMap((each) => wordsOf(alignment, each.character_start_index, each.character_end_index)),
    };
  });
};
