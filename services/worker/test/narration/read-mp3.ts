const LAYER_3_KBPS = {
  1: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  2: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
} as const;
const SAMPLE_RATES = { 1: [44_100, 48_000, 32_000], 2: [22_050, 24_000, 16_000] } as const;

/** Walks every frame of an MP3 by its headers (ISO 11172-3, 13818-3), and reads the ID3v2.3 title before them. */
export const readMp3 = (file: Uint8Array) => {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  if (bytes.toString('latin1', 0, 3) !== 'ID3' || bytes[3] !== 3) throw new Error('no ID3v2.3 tag');
  const tagSize = bytes.subarray(6, 10).reduce((size, byte) => size * 128 + byte, 0);
  if (bytes.toString('latin1', 10, 14) !== 'TIT2') throw new Error('no title');
  const titleSize = bytes.readUInt32BE(14);
  if (titleSize + 10 !== tagSize || bytes.readUInt32BE(20) >>> 8 !== 0x01fffe)
    throw new Error('bad title frame');
  const title = bytes.toString('utf16le', 23, 20 + titleSize);

  let at = 10 + tagSize;
  let frames = 0;
  let sampleRate = 0;
  let samplesPerFrame = 0;
  while (at < bytes.length) {
    const header = bytes.readUInt32BE(at);
    if (header >>> 21 !== 0x7ff) throw new Error(`no frame at byte ${at}`);
    const version = ((header >>> 19) & 3) === 3 ? 1 : 2;
    if (((header >>> 17) & 3) !== 1) throw new Error('not layer III');
    const kbps = LAYER_3_KBPS[version][(header >>> 12) & 15];
    const rate = SAMPLE_RATES[version][(header >>> 10) & 3];
    if (!kbps || !rate || ((header >>> 6) & 3) !== 3) throw new Error(`bad or stereo frame at byte ${at}`);
    sampleRate = rate;
    samplesPerFrame = version === 1 ? 1152 : 576;
    at += Math.floor(((samplesPerFrame / 8) * kbps * 1000) / rate) + ((header >>> 9) & 1);
    frames++;
  }
  if (at !== bytes.length) throw new Error('the last frame is cut short');
  return { title, frames, sampleRate, frameMs: (samplesPerFrame * 1000) / sampleRate };
};
