import { createMp3Encoder } from 'wasm-media-encoders';
import type { Track } from './assemble.ts';

/** Ample for one voice at 16 to 24 kHz; a minute takes 360 kB. */
export const MP3_KBPS = 48;

const MAX_TITLE_UNITS = 250;

export type Mp3 = { readonly bytes: Uint8Array<ArrayBuffer>; readonly durationMs: number };

/** Encodes a track at a constant bit rate, with its title. The duration is that of the file, padding included. */
export const encodeMp3 = async (track: Track, title: string): Promise<Mp3> => {
  const encoder = await createMp3Encoder();
  encoder.configure({
    sampleRate: track.sampleRate,
    channels: 1,
    bitrate: MP3_KBPS,
    outputSampleRate: outputRate(track),
  });
  const chunks: Uint8Array[] = [];
  let audioBytes = 0;
  const keep = (owned: Uint8Array) => {
    chunks.push(owned.slice()); // the encoder reuses its buffer
    audioBytes += owned.length;
  };
  for (const block of track.blocks()) keep(encoder.encode([block]));
  keep(encoder.finalize());

  const tag = titleTag(title);
  const bytes = new Uint8Array(tag.length + audioBytes);
  let at = 0;
  for (const chunk of [tag, ...chunks]) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return { bytes, durationMs: Math.round((audioBytes * 8) / MP3_KBPS) };
};

const OUTPUT_RATES = [16_000, 22_050, 24_000, 44_100] as const;

const outputRate = ({ sampleRate }: Track) => {
  const rate = OUTPUT_RATES.find((each) => each === sampleRate);
  if (rate === undefined) throw new RangeError(`MP3 at ${sampleRate} Hz is not supported`);
  return rate;
};

/** An ID3v2.3 tag with one frame, TIT2, in UTF-16 with a byte order mark (id3.org, sections 3.1, 3.3, 4.2). */
export const titleTag = (title: string): Uint8Array => {
  const clean = title
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MAX_TITLE_UNITS)
    .toWellFormed();
  const text = Buffer.concat([Buffer.from([1, 0xff, 0xfe]), Buffer.from(clean, 'utf16le')]);
  const frame = Buffer.alloc(10);
  frame.write('TIT2', 'latin1');
  frame.writeUInt32BE(text.length, 4);
  const size = frame.length + text.length;
  const synchsafe = [21, 14, 7, 0].map((shift) => (size >> shift) & 0x7f);
  return Buffer.concat([Buffer.from('ID3'), Buffer.from([3, 0, 0, ...synchsafe]), frame, text]);
};
