import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from './config.ts';

const SECRETS_KEYS = `v1:${Buffer.alloc(32, 7).toString('base64')}`;

describe('the environment of the worker', () => {
  it('needs what opens owners’ keys in production, unless there are no accounts', () => {
    const production = { NODE_ENV: 'production', BLOB_DIR: '/blobs' };
    expect(() => loadConfig(production)).toThrow(/SECRETS_KEYS: is needed in production/);
    expect(loadConfig({ ...production, SECRETS_KEYS }).SECRETS_KEYS?.size).toBe(1);
    expect(loadConfig({ ...production, BATCH_BACKEND_ENABLE_EXTENDED_API: 'false' })).toBeDefined();
    expect(loadConfig({}).SECRETS_KEYS).toBeUndefined();
  });

  it('takes secrets from mounted files, and shows none of a bad one', () => {
    const folder = mkdtempSync(join(tmpdir(), 'worker-env-'));
    try {
      const file = join(folder, 'key');
      writeFileSync(file, 'el-mounted\n');
      expect(loadConfig({ ELEVENLABS_API_KEY_FILE: file }).ELEVENLABS_API_KEY).toBe('el-mounted');
      writeFileSync(file, 'v1:hush');
      expect(() => loadConfig({ SECRETS_KEYS_FILE: file })).toThrow(/SECRETS_KEYS: must be/);
      expect(() => loadConfig({ SECRETS_KEYS_FILE: file })).not.toThrow(/hush/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
