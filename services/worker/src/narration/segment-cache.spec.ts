import { describe, expect, it } from 'vitest';
import { type SpeechRequest, segmentCache, segmentKey } from './segment-cache.ts';

const signal = new AbortController().signal;
const aRequest = (over: Partial<SpeechRequest> = {}): SpeechRequest => ({
  engine: 'local',
  engineVersion: '1',
  model: 'slt',
  voice: 'local-slt',
  language: 'en',
  settings: { pitchHz: null, stretch: 1 },
  format: 'pcm_16000',
  text: 'Hello.',
  ...over,
});

/** Blobs in memory, handed out as slices of a larger buffer, as files and sockets do. */
const memoryBlobs = () => {
  const blobs = new Map<string, Uint8Array>();
  return {
    blobs,
    get: async (key: string) => {
      const body = blobs.get(key);
      return body ? Buffer.concat([Buffer.from([0]), body]).subarray(1) : null;
    },
    put: async (key: string, body: Uint8Array) => {
      blobs.set(key, Uint8Array.from(body));
    },
  };
};

describe('the key of a segment', () => {
  it('is the same for the same request, however it is written', () => {
    const settings = { stretch: 1, pitchHz: null };
    expect(segmentKey(aRequest({ settings }))).toBe(segmentKey(aRequest()));
    expect(segmentKey(aRequest())).toMatch(/^speech\/([0-9a-f]{2})\/\1[0-9a-f]{62}\.pcm$/);
  });

  it.each<Partial<SpeechRequest>>([
    { engine: 'other' },
    { engineVersion: '2' },
    { model: 'awb' },
    { voice: 'local-awb' },
    { language: 'de' },
    { settings: { pitchHz: 150, stretch: 1 } },
    { format: 'pcm_22050' },
    { text: 'Hello!' },
  ])('changes with %j', (over) => {
    expect(segmentKey(aRequest(over))).not.toBe(segmentKey(aRequest()));
  });
});

describe('cached audio', () => {
  const samples = Int16Array.from([0, 1, -1, 32_767, -32_768]);

  it('comes back as it was written', async () => {
    const cache = segmentCache(memoryBlobs());
    await cache.write('k', samples.subarray(1, 4), signal);
    expect(await cache.read('k', signal)).toEqual(samples.slice(1, 4));
  });

  it('may be silence', async () => {
    const cache = segmentCache(memoryBlobs());
    await cache.write('k', new Int16Array(0), signal);
    expect(await cache.read('k', signal)).toEqual(new Int16Array(0));
  });

  it('is not there when it was never written', async () => {
    expect(await segmentCache(memoryBlobs()).read('k', signal)).toBeNull();
  });

  it('is not there when it was cut short, changed or is something else', async () => {
    const store = memoryBlobs();
    const cache = segmentCache(store);
    await cache.write('k', samples, signal);
    const good = store.blobs.get('k') ?? new Uint8Array(0);
    const flipped = good.with(40, (good[40] ?? 0) ^ 1);
    for (const bad of [good.slice(0, -2), good.slice(0, -1), flipped, good.slice(0, 10), new Uint8Array(0)]) {
      store.blobs.set('k', bad);
      expect(await cache.read('k', signal)).toBeNull();
    }
  });
});
