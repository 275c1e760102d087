import { sha256 } from '@esl/kit/blob-store';
import { expect, it } from 'vitest';
import { loadFlite, speakWithFlite } from './flite.ts';
import { runInMemory } from './memory-wasi.ts';

const flite = await loadFlite();

it('sounds as it did when ENGINE_VERSION in local-narrator.ts was last raised', () => {
  const samples = speakWithFlite(flite, 'Good morning.', { model: 'kal16', pitchHz: 150, stretch: 1.1 });
  expect(sha256(new Uint8Array(samples.buffer))).toBe(
    '3d4472f3e1ad995f27f4f67810e3045b7f36eec3dbd0d4be05c977cdf96a312c',
  );
});

it('says nothing for no text', () => {
  expect(speakWithFlite(flite, '', { model: 'slt', pitchHz: null, stretch: 1 })).toHaveLength(0);
});

it('sees no files but those it is given', () => {
  const { files } = runInMemory(flite, ['flite', '-f', '/etc/hostname', '-o', '/out.wav'], {}, 1_000_000);
  expect(files.get('out.wav')?.length ?? 0).toBe(0);
});

it('may not write more than its limit', () => {
  const input = { 'in.txt': new TextEncoder().encode('hello '.repeat(100)) };
  const args = ['flite', '-voice', 'kal16', '-f', '/in.txt', '-o', '/out.wav'];
  expect(() => runInMemory(flite, args, input, 100_000)).toThrow(RangeError);
});
