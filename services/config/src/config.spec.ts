import { describe, expect, it } from 'vitest';
import { loadConfig } from './config.ts';

describe('the environment of the config service', () => {
  it('needs nothing: the shipped catalog and the local narrator’s voices', () => {
    const config = loadConfig({});
    expect(config.folder).toMatch(/\/configs\/$/);
    expect([config.narrator, config.voiceSync]).toEqual(['local', null]);
    expect(config.localVoicesPath).toBe(`${config.folder}local.voices.json`);
    expect(config.remote).toBeNull();
    expect(config.notion).toEqual({ hasToken: false, options: [], defaultDatabase: null });
  });

  it('takes ElevenLabs’ voices from the folder once there is a key, by either name', () => {
    for (const name of ['ELEVENLABS_API_KEY', 'ELEVENLABS_API_TOKEN']) {
      const config = loadConfig({ [name]: 'key', ESL_PIPELINE_CONFIG_DIR: 'here', PIPELINE_CWD: '/base' });
      expect(config.folder).toBe('/base/here');
      expect(config.voicesPaths[0]).toBe('/base/here/elevenlabs.voices.json');
      expect(config.narrator).toBe('elevenlabs');
      expect(config.voiceSync).toMatchObject({ apiKey: 'key', everyMs: 21_600_000 });
    }
  });

  it('reads no voices from the account when a file is named, or when told not to', () => {
    const named = loadConfig({ ELEVENLABS_API_KEY: 'key', ELEVENLABS_VOICES_PATH: '/v.json' });
    expect(named).toMatchObject({ voicesPaths: ['/v.json'], voiceSync: null });
    expect(loadConfig({ ELEVENLABS_API_KEY: 'key', ELEVENLABS_VOICES_SYNC_MS: '0' }).voiceSync).toBeNull();
  });

  it('reads the databases under all their names', () => {
    expect(loadConfig({ NOTION_DB_ID: 'db-9', NOTION_DB_LABEL: 'Lessons' }).notion.defaultDatabase).toEqual({
      id: 'db-9',
      name: 'Lessons',
    });
    expect(loadConfig({ NOTION_DATABASE_ID: 'db-1', NOTION_DB_ID: 'db-9' }).notion.defaultDatabase).toEqual({
      id: 'db-1',
      name: 'Primary database',
    });
  });

  it('keeps no secret that it does not send', () => {
    const config = loadConfig({ NOTION_TOKEN: 'secret-a' });
    expect(JSON.stringify(config)).not.toContain('secret');
    expect(config.notion.hasToken).toBe(true);
  });

  it('reads a remote provider by either name, and refuses one without an address', () => {
    for (const provider of ['http', 'remote'])
      expect(
        loadConfig({
          ESL_PIPELINE_CONFIG_PROVIDER: provider,
          ESL_PIPELINE_CONFIG_ENDPOINT: 'https://config.example.org/esl',
          ESL_PIPELINE_CONFIG_STUDENTS_PATH: '/people.json',
        }).remote,
      ).toEqual({
        endpoint: 'https://config.example.org/esl',
        token: null,
        paths: { presets: '/presets.json', students: '/people.json', voiceMap: '/voices.yml' },
      });
    expect(() => loadConfig({ ESL_PIPELINE_CONFIG_PROVIDER: 'http' })).toThrow(
      /ESL_PIPELINE_CONFIG_ENDPOINT: is needed/,
    );
    expect(() =>
      loadConfig({ ESL_PIPELINE_CONFIG_PROVIDER: 'http', ESL_PIPELINE_CONFIG_ENDPOINT: 'ftp://x' }),
    ).toThrow(/ESL_PIPELINE_CONFIG_ENDPOINT/);
  });
});
