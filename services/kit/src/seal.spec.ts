import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CannotUnseal, seal, sealKeys, unseal } from './seal.ts';

const key = () => randomBytes(32).toString('base64');
const first = `v1:${key()}`;
const keys = sealKeys.parse(first);
const ana = { ownerId: 'ana', purpose: 'notion_token' };

describe('sealing a secret', () => {
  it('opens for its owner and purpose', () => {
    expect(unseal(keys, ana, seal(keys, ana, 'ntn_ünïcode'))).toBe('ntn_ünïcode');
  });

  it('never makes the same text twice, nor one that shows the secret', () => {
    const [a, b] = [seal(keys, ana, 'ntn_secret'), seal(keys, ana, 'ntn_secret')];
    expect(a).not.toBe(b);
    expect(Buffer.from(a.slice(3), 'base64url').toString('latin1')).not.toContain('ntn_secret');
  });

  it.each([
    ['another owner', { ...ana, ownerId: 'ben' }],
    ['another purpose', { ...ana, purpose: 'elevenlabs_key' }],
  ])('stays closed for %s', (_, context) => {
    expect(() => unseal(keys, context, seal(keys, ana, 'x'))).toThrow(CannotUnseal);
  });

  it.each(['', 'v1', 'v1.', 'v1.AAAA', 'v9.AAAA', `v1.${'A'.repeat(80)}`])('refuses %j', (sealed) => {
    expect(() => unseal(keys, ana, sealed)).toThrow(CannotUnseal);
  });

  it('notices a changed bit anywhere', () => {
    const sealed = seal(keys, ana, 'secret');
    const bytes = Buffer.from(sealed.slice(3), 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => unseal(keys, ana, `v1.${changed.toString('base64url')}`)).toThrow(CannotUnseal);
    }
  });
});

describe('rotating keys', () => {
  it('seals with the first key and opens with any', () => {
    const rotated = sealKeys.parse(`v2:${key()},${first}`);
    expect(unseal(rotated, ana, seal(keys, ana, 'old'))).toBe('old');
    expect(seal(rotated, ana, 'new')).toMatch(/^v2\./);
    expect(() => unseal(keys, ana, seal(rotated, ana, 'new'))).toThrow(CannotUnseal);
  });

  it.each(['', 'v1', 'v1:short', `${first},${first}`, `V 1:${key()}`])('refuses the keys %j', (text) => {
    expect(sealKeys.safeParse(text).success).toBe(false);
  });
});
