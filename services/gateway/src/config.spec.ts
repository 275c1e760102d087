import { describe, expect, it } from 'vitest';
import { newSigningKey } from './accounts/new-signing-key.ts';
import { loadConfig } from './config.ts';

describe('configuration', () => {
  it('has defaults for everything in development', () => {
    expect(loadConfig({})).toMatchObject({ PORT: 8080, BATCH_BACKEND_ENABLE_EXTENDED_API: true });
  });

  it('takes the port under its older name too', () => {
    expect(loadConfig({ BATCH_BACKEND_HTTP_PORT: '9000' }).PORT).toBe(9000);
    expect(loadConfig({ BATCH_BACKEND_HTTP_PORT: '9000', PORT: '9001' }).PORT).toBe(9001);
  });

  it('wants a public address without a slash at its end', () => {
    expect(loadConfig({ PUBLIC_URL: 'https://esl.example/api/' }).PUBLIC_URL).toBe('https://esl.example/api');
    expect(() => loadConfig({ PUBLIC_URL: 'ftp://esl.example' })).toThrow('PUBLIC_URL');
  });

  it('wants a secret of some length, and in production always', () => {
    expect(() => loadConfig({ LINK_SECRET: 'too short' })).toThrow(/LINK_SECRET: must have at least 32/);
  });

  it('starts in production only with secrets of its own', () => {
    const production = { NODE_ENV: 'production', LINK_SECRET: 'x'.repeat(32) };
    const JWT_KEYS = JSON.stringify({ keys: [newSigningKey(), newSigningKey()] });
    const SECRETS_KEYS = `v1:${Buffer.alloc(32).toString('base64')}`;
    for (const name of ['LINK_SECRET', 'JWT_KEYS', 'SECRETS_KEYS'])
      expect(() => loadConfig({ NODE_ENV: 'production' })).toThrow(`${name}: is needed in production`);
    expect(loadConfig({ ...production, JWT_KEYS, SECRETS_KEYS }).JWT_KEYS).toHaveLength(2);
    expect(loadConfig({ ...production, BATCH_BACKEND_ENABLE_EXTENDED_API: 'false' })).toBeTruthy();
  });

  it('takes only private keys of safe kinds, and repeats nothing of them', () => {
    const { d, ...publicKey } = newSigningKey();
    const one = newSigningKey();
    for (const keys of [[], [publicKey], [one, one], [{ ...one, alg: 'none' }], [{ ...one, alg: 'HS256' }]]) {
      const load = () => loadConfig({ JWT_KEYS: JSON.stringify({ keys }) });
      expect(load).toThrow('JWT_KEYS: must be a JSON Web Key Set');
      expect(load).not.toThrow(String(d ?? one.d));
    }
    expect(() => loadConfig({ JWT_KEYS: 'secret' })).toThrow('JWT_KEYS');
  });

  it('reads lifetimes in the units that people write', () => {
    const lifetime = (text: string) => loadConfig({ JWT_EXPIRES_IN: text }).JWT_EXPIRES_IN;
    expect(['90', '90s', '15m', '2h', '1d'].map(lifetime)).toEqual([
      90_000, 90_000, 900_000, 7_200_000, 86_400_000,
    ]);
    for (const text of ['0', '-1', '15 minutes', '2d', '1.5h'])
      expect(() => lifetime(text)).toThrow('JWT_EXPIRES_IN');
  });

  it('opens itself to other origins only when they are named', () => {
    expect(() => loadConfig({ ENABLE_CORS: 'true' })).toThrow('CORS_ORIGIN: is needed');
    expect(() => loadConfig({ ENABLE_CORS: '1', CORS_ORIGIN: '*', CORS_CREDENTIALS: '1' })).toThrow(
      'CORS_ORIGIN',
    );
    expect(() => loadConfig({ CORS_ORIGIN: 'https://a.example/path' })).toThrow('CORS_ORIGIN');
    expect(
      loadConfig({ ENABLE_CORS: '1', CORS_ORIGIN: 'https://a.example, https://b.example' }).CORS_ORIGIN,
    ).toEqual(['https://a.example', 'https://b.example']);
  });
});
