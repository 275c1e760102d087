import { describe, expect, it } from 'vitest';
import { type CachedSpeech, segmentCache, segmentKey } from './segment-cache.ts';
import type { SpeechRequest } from './speech.ts';

const signal = new AbortController().signal;
const aRequest = (over: Partial<SpeechRequest> = {}): SpeechRequest => ({
  engine: 'local',
  engineVersion: '1',
  model: 'slt',
  language: 'en',
  settings: { pitchHz: null, stretch: 1 },
  format: 'pcm_16000',
  turns: [{ voice: 'local-slt', text: 'Hello.' }],
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
    { turns: [{ voice: 'local-awb', text: 'Hello.' }] },
    { language: 'de' },
    { settings: { pitchHz: 150, stretch: 1 } },
    { format: 'pcm_22050' },
    { turns: [{ voice: 'local-slt', text: 'Hello!' }] },
    { turns: [...aRequest().turns, ...aRequest().turns] },
  ])('changes with %j', (over) => {
    expect(segmentKey(aRequest(over))).not.toBe(segmentKey(aRequest()));
  });
});

describe('cached speech', () => {
  const samples = Int16Array.from([0, 1, -1, 32_767, -32_768]);
  const said = (text: string) => ({ startMs: 0, endMs: 9, words: [{ text, startMs: 2, endMs: 9 }] });
  const speech = (over: Partial<CachedSpeech> = {}): CachedSpeech => ({
    samples,
    turns: [said('café')],
    jobId: 'job-1',
    billed: 4,
    requestId: null,
    ...over,
  });

  it.each([
    ['as it was written', speech()],
    ['whatever the length of what is noted with it', speech({ turns: [said('cafés')] })],
    ['from the middle of other samples', speech({ samples: samples.subarray(1, 4) })],
    ['when it is silence', speech({ samples: new Int16Array(0), turns: [] })],
  ])('comes back %s', async (_, written) => {
    const cache = segmentCache(memoryBlobs());
    await cache.write('k', written, signal);
    expect(await cache.read('k', signal)).toEqual({ ...written, samples: written.samples.slice() });
  });

  it('is not there when it was never written', async () => {
    expect(await segmentCache(memoryBlobs()).read('k', signal)).toBeNull();
  });

  it('is not there when it was cut short, changed or is something else', async () => {
    const store = memoryBlobs();
    const cache = segmentCache(store);
    await cache.write('k', speech(), signal);
    const good = store.blobs.get('k') ?? new Uint8Array(0);
    const flipped = good.with(40, (good[40] ?? 0) ^ 1);
    for (const bad of [good.slice(0, -2), good.slice(0, -1), flipped, good.slice(0, 10), new Uint8Array(0)]) {
      store.blobs.set('k', bad);
      expect(await cache.read('k', signal)).toBeNull();
    }
  });
});
