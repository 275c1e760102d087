import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectGrpc } from '@esl/kit/grpc-client';
import { createLog } from '@esl/kit/log';
import { eventually, openWorld, type World } from '@esl/kit/testing/world';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { OwnerSettingsService } from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ElevenLabsServer,
  startElevenLabsServer,
} from '../../worker/test/narration/elevenlabs-server.ts';
import { loadConfig } from '../src/config.ts';
import { startConfig } from '../src/start.ts';

const KEY = 'el-key-that-is-seen-nowhere';

let world: World;
let elevenLabs: ElevenLabsServer;
let lines: string[];
beforeEach(async () => {
  world = await openWorld();
  elevenLabs = await startElevenLabsServer({ [KEY]: {} });
  world.defer(elevenLabs.stop);
  lines = [];
  return () => world[Symbol.asyncDispose]();
});

const serve = async (env: Record<string, string> = {}) => {
  const config = loadConfig({
    ...world.env,
    ELEVENLABS_API_KEY: KEY,
    ELEVENLABS_BASE_URL: elevenLabs.url,
    ESL_PIPELINE_CONFIG_POLL_MS: '200',
    ...env,
  });
  const log = createLog('config', 'debug', { write: (line) => void lines.push(line) });
  const { address } = await world.run(startConfig({ config, log }));
  const catalog = connectGrpc(ConfigService, { address, deadlineMs: 5_000 });
  const owners = connectGrpc(OwnerSettingsService, { address, deadlineMs: 5_000 });
  world.defer(catalog.close);
  world.defer(owners.close);
  return { ...catalog.call, ...owners.call };
};
type Calls = Awaited<ReturnType<typeof serve>>;

const aVoice = (index: number) => ({
  voice_id: `v-${index}`,
  name: `Voice ${String(index).padStart(3, '0')}`,
  category: 'cloned',
  preview_url: `https://example.com/${index}.mp3`,
  labels: { gender: 'female', accent: 'irish', age: 'young', use_case: 'narration', language: 'en' },
  verified_languages: [
    { language: 'en', model_id: 'eleven_multilingual_v2' },
    { language: 'de', model_id: 'eleven_multilingual_v2' },
  ],
});
const namesOf = async (call: Calls) => (await call.listVoices({})).voices.map(({ name }) => name);
const whenNamed = (call: Calls, name: string) =>
  eventually(async () => ((await namesOf(call)).includes(name) ? true : null));
const lists = () => elevenLabs.seen.filter(({ path }) => path === '/v2/voices');

describe('the voices of the account', () => {
  it('take the place of the shipped ones, however many pages they have', async () => {
    elevenLabs.voices.push(...Array.from({ length: 250 }, (_, index) => aVoice(index)));
    const call = await serve();
    await whenNamed(call, 'Voice 249');
    const { voices } = await call.listVoices({});
    expect(voices).toHaveLength(elevenLabs.voices.length);
    expect(voices.find(({ id }) => id === 'v-7')).toMatchObject({
      category: 'cloned',
      previewUrl: 'https://example.com/7.mp3',
      labels: { accent: 'irish' },
      verifiedLanguages: ['en', 'de'],
    });
    expect(lists().map(({ query }) => query.get('page_size'))).toEqual(['100', '100', '100']);
    expect((await call.getJobOptions({})).voiceAccents).toContain('irish_female');
  });

  it('are read again on a schedule, and a new list is announced', async () => {
    const bus = await world.connectBus({ streams: [], consumers: [] });
    let announced = 0;
    bus.nc.subscribe('config.changed', {
      callback: () => {
        announced += 1;
      },
    });
    await bus.nc.flush();
    const call = await serve({ ELEVENLABS_VOICES_SYNC_MS: '100' });
    await whenNamed(call, 'Bella');
    await eventually(() => announced || null);
    const before = (await call.listVoices({})).version;
    announced = 0;
    elevenLabs.voices.push(aVoice(1));
    await whenNamed(call, 'Voice 001');
    expect((await call.listVoices({})).version).not.toBe(before);
    await eventually(() => announced || null);
  });

  it('are read once for all replicas', async () => {
    const [one, other] = await Promise.all([serve(), serve()]);
    await Promise.all([whenNamed(one, 'Bella'), whenNamed(other, 'Bella')]);
    expect(lists()).toHaveLength(1);
    expect((await one.listVoices({})).version).toBe((await other.listVoices({})).version);
  });

  it('stay as they were last good while ElevenLabs refuses, also over a restart', async () => {
    elevenLabs.voices.push(aVoice(1));
    const call = await serve({ ELEVENLABS_VOICES_SYNC_MS: '100' });
    await whenNamed(call, 'Voice 001');
    elevenLabs.setAccount(KEY, null);
    await eventually(() => (lines.some((line) => line.includes('HTTP 401')) ? true : null));
    expect(await namesOf(call)).toContain('Voice 001');
    const again = await serve({ ELEVENLABS_VOICES_SYNC_MS: '100' });
    expect(await namesOf(again)).toContain('Voice 001');
    expect((await again.getJobOptions({})).stale).toBe(false);
  });

  it('are not an empty list', async () => {
    elevenLabs.voices.length = 0;
    const call = await serve();
    await eventually(() => (lines.some((line) => line.includes('there are no voices')) ? true : null));
    expect(await namesOf(call)).toContain('Matilda');
  });

  it('are those of another account once the key is another one', async () => {
    await whenNamed(await serve(), 'Bella');
    elevenLabs.setAccount('el-other', {});
    elevenLabs.voices.splice(0, elevenLabs.voices.length, aVoice(9));
    const call = await serve({ ELEVENLABS_API_KEY: 'el-other' });
    await whenNamed(call, 'Voice 009');
    expect(await namesOf(call)).not.toContain('Bella');
  });

  it('are not asked for where a file was named', async () => {
    const path = join(world.folder, 'voices.json');
    await writeFile(path, JSON.stringify({ voices: [{ id: 'v-1', name: 'Wren' }] }));
    const call = await serve({ ELEVENLABS_VOICES_PATH: path });
    expect(await namesOf(call)).toEqual(['Wren']);
    expect(elevenLabs.seen).toEqual([]);
  });

  it('leave the catalog as it is while MongoDB is down', async () => {
    const call = await serve({ MONGODB_URL: 'mongodb://127.0.0.1:1/?directConnection=true' });
    expect(await namesOf(call)).toContain('Matilda');
    expect((await call.getJobOptions({})).stale).toBe(true);
  });

  afterEach(async () => {
    const stored = await world.mongo.db.collection('voices').find().toArray();
    expect(JSON.stringify([lines, stored])).not.toContain(KEY);
  });
});

describe('voices and databases a form offers', () => {
  it('are those of the owner’s own accounts', async () => {
    const call = await serve({ ELEVENLABS_API_KEY: '', NOTION_DATABASE_ID: 'db-9' });
    const offered = async (ownerId: string) => {
      const { voices, notionDatabases } = await call.getJobOptions({ ownerId });
      return [voices.every(({ id }) => id.startsWith('local-')), notionDatabases.map(({ id }) => id)];
    };
    const key = { sealed: `v1.${'x'.repeat(60)}` };
    expect(await offered('ana')).toEqual([true, ['local', 'db-9']]);
    await call.updateOwnerSettings({ ownerId: 'ana', elevenlabsKey: key, notionToken: key });
    expect(await offered('ana')).toEqual([false, ['db-9']]);
    expect(await offered('')).toEqual([true, ['local', 'db-9']]);
    await call.updateOwnerSettings({ ownerId: 'ana', ttsProvider: { value: 'local' } });
    expect(await offered('ana')).toEqual([true, ['db-9']]);
  });

  it('are asked for by narrator', async () => {
    const call = await serve({ ELEVENLABS_API_KEY: '' });
    const idsOf = async (narrator: string) =>
      (await call.listVoices({ narrator })).voices.map(({ id }) => id);
    expect((await idsOf('elevenlabs')).some((id) => id.startsWith('local-'))).toBe(false);
    expect(await idsOf('local')).toEqual(await idsOf(''));
    await expect(idsOf('festival')).rejects.toMatchObject({ refusal: { code: 'unknown_narrator' } });
  });
});
