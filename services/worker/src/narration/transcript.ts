import type { NarratedSegment, Narration } from './narrator.ts';
import type { SpokenWord } from './speech.ts';

export const TRANSCRIPT_TYPE = 'text/vtt; charset=utf-8';

/**
 * What is said, by whom and when, as WebVTT (w3.org/TR/webvtt1): players show it as subtitles, and its words carry
 * their times where the narrator knows them.
 */
export const transcriptOf = ({ segments }: Pick<Narration, 'segments'>): string => {
  const cues = segments.filter(({ startMs, endMs }) => endMs > startMs).map(cueOf);
  return `${['WEBVTT', ...cues].join('\n\n')}\n`;
};

const cueOf = (segment: NarratedSegment, index: number): string => {
  const { speaker, startMs, endMs } = segment;
  const said = timedWords(segment) ?? escaped(segment.text);
  return `${index + 1}\n${clock(startMs)} --> ${clock(endMs)}\n<v ${escaped(speaker)}>${said}`;
};

/** The words with the times inside the cue, which must rise; null when they are not known or not those of the text. */
const timedWords = ({ text, words, startMs, endMs }: NarratedSegment): string | null => {
  if (words.length === 0 || words.map((word) => word.text).join(' ') !== text.split(/\s+/).join(' '))
    return null;
  let last = startMs;
  const stamped = words.map((word: SpokenWord) => {
    const isLater = word.startMs > last && word.startMs < endMs;
    if (!isLater) return escaped(word.text);
    last = word.startMs;
    return `<${clock(word.startMs)}>${escaped(word.text)}`;
  });
  return stamped.join(' ');
};

/** Text that ends no cue, and begins no tag or entity. */
const escaped = (text: string): string =>
  text.replaceAll(/\s+/g, ' ').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Milliseconds as hh:mm:ss.ttt. */
const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 23);
