import { describe, expect, it } from 'vitest';
import { expiryOf, signedLinks } from './signed-links.ts';

const DAY_MS = 86_400_000;
const changed = Date.parse('2026-03-01T08:00:00.500Z');

describe('when a link ends', () => {
  it('stays the same for the six days after a change, so that an event and a GET agree', () => {
    const first = expiryOf(changed, changed);
    expect(first).toBe(Math.floor((changed + 7 * DAY_MS) / 1_000));
    for (const later of [0, 1, DAY_MS, 6 * DAY_MS]) expect(expiryOf(changed, changed + later)).toBe(first);
    expect(expiryOf(changed, changed - 5_000)).toBe(first);
  });

  it('always leaves about a day', () => {
    for (let hours = 0; hours < 24 * 30; hours += 1) {
      const now = changed + hours * 3_600_000;
      const leftMs = expiryOf(changed, now) * 1_000 - now;
      expect(leftMs).toBeGreaterThan(DAY_MS - 1_000);
      expect(leftMs).toBeLessThanOrEqual(8 * DAY_MS);
    }
  });
});

describe('a signed link', () => {
  let clock = changed;
  const links = signedLinks({ secret: 'one', publicUrl: 'https://esl.example', now: () => clock });
  const url = new URL(links.file('audio/ab/x.mp3', changed));
  const [expires, signature] = ['expires', 'signature'].map((name) => url.searchParams.get(name) ?? '') as [
    string,
    string,
  ];

  it('is good for its key until it ends', () => {
    expect(url.pathname).toBe('/files/audio/ab/x.mp3');
    expect(links.check('audio/ab/x.mp3', expires, signature)).toBe('good');
    clock = Number(expires) * 1_000;
    expect(links.check('audio/ab/x.mp3', expires, signature)).toBe('expired');
    clock = changed;
  });

  it('is bad for anything else', () => {
    const others = signedLinks({ secret: 'two', publicUrl: '', now: () => clock });
    expect(links.check('audio/ab/y.mp3', expires, signature)).toBe('bad');
    expect(links.check('audio/ab/x.mp3', `${Number(expires) + 1}`, signature)).toBe('bad');
    expect(links.check('audio/ab/x.mp3', expires, '')).toBe('bad');
    // The last character carries two bits that decode to nothing: another spelling is another signature.
    const twins = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].filter(
      (last) => links.check('audio/ab/x.mp3', expires, signature.slice(0, -1) + last) === 'good',
    );
    expect(twins).toHaveLength(1);
    expect(others.check('audio/ab/x.mp3', expires, signature)).toBe('bad');
  });
});
