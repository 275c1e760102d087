/** One segment's audio: 16-bit mono samples, and whose voice it is. */
export type SpokenPart = { readonly samples: Int16Array; readonly voiceId: string };

export type Span = { readonly startMs: number; readonly endMs: number };

/** A narration laid out in time; `blocks` makes its samples (−1 to 1) as they are needed. */
export type Track = {
  readonly sampleRate: number;
  /** When each part sounds, in their order. */
  readonly spans: readonly Span[];
  /** How much silence was cut from the beginning of each part. */
  readonly skippedMs: readonly number[];
  readonly blocks: () => Iterable<Float32Array>;
};

/** Between turns, and after the last one so that players do not cut it short. */
export const PAUSE_MS = 250;
export const TAIL_MS = 400;

/** Synthesisers pad speech with up to 0.25 s of near silence: only this much is kept, so that pauses are ours. */
const KEPT_EDGE_MS = 30;
/** Quieter than this part of the loudest sample is not speech. */
const SILENCE_RATIO = 0.02;
/** Long enough to hide the step where a part begins or ends, too short to hear. */
const FADE_MS = 4;

/** Loudness all voices are brought towards, as root mean square: −18 dBFS. */
const TARGET_RMS = 32_768 * 0.126;
/** Corrections stop here, so that one whispering voice does not become a hissing one. */
const MAX_GAIN = 4;
const PEAK_LIMIT = 32_768 * 0.95;

/** Joins parts with pauses and evens out the voices. Pure: equal parts make equal samples. */
export const assemble = (
  parts: readonly SpokenPart[],
  sampleRate: number,
  tailMs: number = TAIL_MS,
): Track => {
  const inSamples = (ms: number) => Math.round((ms * sampleRate) / 1000);
  const toMs = (samples: number) => Math.round((samples * 1000) / sampleRate);
  const trimmed = parts.map((part) => ({ ...part, ...trim(part.samples, inSamples(KEPT_EDGE_MS)) }));
  const gains = voiceGains(trimmed);

  const spans: Span[] = [];
  let at = 0;
  for (const [index, { samples }] of trimmed.entries()) {
    if (index > 0) at += inSamples(PAUSE_MS);
    spans.push({ startMs: toMs(at), endMs: toMs(at + samples.length) });
    at += samples.length;
  }

  return {
    sampleRate,
    spans,
    skippedMs: trimmed.map(({ skipped }) => toMs(skipped)),
    blocks: function* () {
      for (const [index, { samples, voiceId }] of trimmed.entries()) {
        if (index > 0) yield new Float32Array(inSamples(PAUSE_MS));
        yield* amplified(samples, gains.get(voiceId) ?? 1, inSamples(FADE_MS), sampleRate);
      }
      yield new Float32Array(inSamples(tailMs));
    },
  };
};

const peakOf = (samples: Int16Array): number => {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak;
};

const trim = (samples: Int16Array, kept: number): { samples: Int16Array; skipped: number } => {
  const threshold = peakOf(samples) * SILENCE_RATIO;
  if (threshold === 0) return { samples: samples.subarray(0, 0), skipped: 0 };
  const isLoud = (sample: number) => Math.abs(sample) > threshold;
  const skipped = Math.max(0, samples.findIndex(isLoud) - kept);
  const last = samples.findLastIndex(isLoud);
  return { samples: samples.subarray(skipped, last + 1 + kept), skipped };
};

/** One gain for all that a voice says, so that its own louds and softs stay as they are. */
const voiceGains = (parts: readonly SpokenPart[]): ReadonlyMap<string, number> => {
  const gains = new Map<string, number>();
  for (const [voiceId, spoken] of Map.groupBy(parts, (part) => part.voiceId)) {
    let energy = 0;
    let count = 0;
    let peak = 1;
    for (const { samples } of spoken) {
      for (const sample of samples) energy += sample * sample;
      count += samples.length;
      peak = Math.max(peak, peakOf(samples));
    }
    const wanted = energy === 0 ? 1 : TARGET_RMS / Math.sqrt(energy / count);
    gains.set(voiceId, Math.min(wanted, MAX_GAIN, PEAK_LIMIT / peak));
  }
  return gains;
};

function* amplified(samples: Int16Array, gain: number, fade: number, blockSize: number) {
  for (let from = 0; from < samples.length; from += blockSize) {
    const block = Float32Array.from(
      samples.subarray(from, from + blockSize),
      (sample) => (sample * gain) / 32_768,
    );
    for (let index = 0; index < block.length; index++) {
      const edge = Math.min(from + index, samples.length - 1 - from - index);
      if (edge < fade) block[index] = ((block[index] ?? 0) * edge) / fade;
    }
    yield block;
  }
}
