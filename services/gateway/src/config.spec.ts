import { describe, expect, it } from 'vitest';
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
    expect(() => loadConfig({ NODE_ENV: 'production' })).toThrow(/LINK_SECRET: is needed in production/);
    expect(loadConfig({ NODE_ENV: 'production', LINK_SECRET: 'x'.repeat(32) }).LINK_SECRET).toHaveLength(32);
  });
});
