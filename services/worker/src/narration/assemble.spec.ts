import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assemble, PAUSE_MS, TAIL_MS } from './assemble.ts';

const RATE = 16_000;
const tone = (ms: number, amplitude: number) =>
  Int16Array.from({ length: (ms * RATE) / 1000 }, (_, index) => Math.round(amplitude * Math.sin(index / 10)));
const silence = (ms: number) => new Int16Array((ms * RATE) / 1000);
const joined = (...parts: Int16Array[]) => Int16Array.from(parts.flatMap((part) => [...part]));
const all = (track: ReturnType<typeof assemble>) => [...track.blocks()].flatMap((block) => [...block]);
const rms = (samples: number[]) =>
  Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length);

describe('joining speech', () => {
  it('puts a pause between turns and a tail after the last', () => {
    const part = { voiceId: 'a', samples: tone(500, 8_000) };
    const track = assemble([part, part], RATE);
    expect(track.spans).toEqual([
      { startMs: 0, endMs: 500 },
      { startMs: 500 + PAUSE_MS, endMs: 1_000 + PAUSE_MS },
    ]);
    expect(all(track)).toHaveLength(((1_000 + PAUSE_MS + TAIL_MS) * RATE) / 1000);
  });

  it('replaces the silence that engines put around speech', () => {
    const padded = joined(silence(200), tone(500, 8_000), silence(240));
    const [span] = assemble([{ voiceId: 'a', samples: padded }], RATE).spans;
    expect(span?.endMs).toBeGreaterThanOrEqual(500);
    expect(span?.endMs).toBeLessThan(570);
  });

  it('brings a quiet and a loud voice together', () => {
    const parts = [
      { voiceId: 'quiet', samples: tone(500, 2_000) },
      { voiceId: 'loud', samples: tone(500, 30_000) },
    ];
    const track = assemble(parts, RATE);
    const samples = all(track);
    const [quiet, loud] = track.spans.map(({ startMs, endMs }) =>
      rms(samples.slice(startMs * 16, endMs * 16)),
    );
    expect(Math.abs((quiet ?? 0) - (loud ?? 1))).toBeLessThan(0.01);
  });

  it('keeps the louds and softs of one voice', () => {
    const parts = [2_000, 8_000].map((amplitude) => ({ voiceId: 'a', samples: tone(500, amplitude) }));
    const track = assemble(parts, RATE);
    const samples = all(track);
    const [soft, strong] = track.spans.map(({ startMs, endMs }) =>
      rms(samples.slice(startMs * 16, endMs * 16)),
    );
    expect((strong ?? 0) / (soft ?? 1)).toBeCloseTo(4, 1);
  });

  it('gives a segment without sound no time of its own', () => {
    const parts = [silence(0), silence(300), tone(100, 9_000)].map((samples) => ({ voiceId: 'a', samples }));
    expect(assemble(parts, RATE).spans).toEqual([
      { startMs: 0, endMs: 0 },
      { startMs: PAUSE_MS, endMs: PAUSE_MS },
      { startMs: 2 * PAUSE_MS, endMs: 2 * PAUSE_MS + 100 },
    ]);
  });

  it('never clips, begins and ends without a click, and tells the truth about time', () => {
    const samples = fc.int16Array({ maxLength: 400 });
    const part = fc.record({ voiceId: fc.constantFrom('a', 'b'), samples });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        const track = assemble(parts, RATE);
        const joinedUp = all(track);
        expect(joinedUp.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0)).toBeLessThanOrEqual(
          0.951,
        );
        for (const { startMs, endMs } of track.spans) {
          expect(endMs).toBeGreaterThanOrEqual(startMs);
          if (endMs > startMs) expect(Math.abs(joinedUp[Math.ceil(startMs * 16)] ?? 0)).toBeLessThan(0.2);
        }
        const end = track.spans.at(-1)?.endMs ?? 0;
        expect(Math.abs(joinedUp.length / 16 - end - TAIL_MS)).toBeLessThan(1);
      }),
    );
  });
});
