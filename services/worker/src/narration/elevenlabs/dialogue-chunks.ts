/** What text-to-dialogue takes in one request (its reference: at most 10 voices, 2,000 characters for a reliable result). */
export const MAX_DIALOGUE_VOICES = 10;
export const MAX_DIALOGUE_CODE_POINTS = 2_000;

const codePoints = (text: string): number => Array.from(text).length;

/**
 * Cuts a dialogue into requests: each as long as the limits allow, all turns in order. A turn is never cut here:
 * segments are far shorter than a request may be.
 */
export const dialogueChunks = <T extends { readonly voiceId: string; readonly text: string }>(
  turns: readonly T[],
): T[][] => {
  const chunks: T[][] = [];
  let chunk: T[] = [];
  let size = 0;
  for (const turn of turns) {
    const voices = new Set([...chunk, turn].map(({ voiceId }) => voiceId));
    const grown = size + codePoints(turn.text);
    if (chunk.length > 0 && (grown > MAX_DIALOGUE_CODE_POINTS || voices.size > MAX_DIALOGUE_VOICES)) {
      chunks.push(chunk);
      chunk = [];
      size = 0;
    }
    chunk.push(turn);
    size += codePoints(turn.text);
  }
  return chunk.length > 0 ? [...chunks, chunk] : chunks;
};
