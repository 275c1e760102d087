import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { connectGrpc } from '@esl/kit/grpc-client';
import { eventually, openWorld, type World } from '@esl/kit/testing/world';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../src/config.ts';
import { startConfig } from '../src/start.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const serve = async (env: Record<string, string>) => {
  const config = loadConfig({ ...world.env, ...env });
  const service = await world.run(startConfig({ config, log: world.log }));
  const client = connectGrpc(ConfigService, { address: service.address, deadlineMs: 5_000 });
  world.defer(client.close);
  return client.call;
};

let folders = 0;
/** A service with a catalog of its own. Its poll is too slow to matter: what it notices, it was told. */
const serveFolder = async (env: Record<string, string> = {}) => {
  folders += 1;
  const folder = join(world.folder, `catalog-${folders}`);
  await mkdir(join(folder, 'students'), { recursive: true });
  const write = (name: string, content: unknown) =>
    writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  await write('presets.json', { 'calm-blue': { h2: 'blue' } });
  await write('voices.yml', 'Teacher: Wren\n');
  await write('students/Mira.json', { student: 'Mira', colorPreset: 'calm-blue', dbId: 'db-1' });
  await write('elevenlabs.voices.json', {
    voices: [{ id: 'v-1', name: 'Wren', labels: { accent: 'irish' } }],
  });
  const start = (over: Record<string, string> = {}) =>
    serve({ ESL_PIPELINE_CONFIG_DIR: folder, ESL_PIPELINE_CONFIG_POLL_MS: '3600000', ...env, ...over });
  return { write, remove: (name: string) => rm(join(folder, name), { recursive: true }), start };
};
type Calls = Awaited<ReturnType<typeof serve>>;

const optionsWhen = (call: Calls, isSo: (options: Awaited<ReturnType<Calls['getJobOptions']>>) => boolean) =>
  eventually(async () => {
    const options = await call.getJobOptions({});
    return isSo(options) ? options : null;
  });
const refusal = (code: string) => ({ refusal: expect.objectContaining({ code }) });

describe('the shipped catalog', () => {
  it('offers what works without any account: local voices and the local page', async () => {
    const call = await serve({});
    const options = await call.getJobOptions({});
    expect(options.stale).toBe(false);
    expect(options.presets).toContain('b1-default');
    expect(options.notionDatabases).toMatchObject([{ id: 'local', name: 'Local page' }]);
    expect(options.voices.length).toBeGreaterThan(5);
    expect(options.voices.every(({ id }) => id.startsWith('local-'))).toBe(true);
    expect(options.voiceAccents).toContain('american_female');
  });

  it('offers ElevenLabs’ voices when there is a key', async () => {
    const call = await serve({ ELEVENLABS_API_KEY: 'key' });
    const { voices } = await call.getJobOptions({});
    expect(voices).toHaveLength(20);
    expect(voices.find(({ name }) => name === 'George')).toMatchObject({
      id: 'JBFqnCBsd6RMkjVDRZzb',
      accent: 'british_male',
      gender: 'male',
    });
  });

  it('has a preset for each profile', async () => {
    const call = await serve({});
    expect(await call.resolveSettings({ student: 'mira' })).toMatchObject({
      profile: 'Mira',
      preset: { name: 'calm-blue', h2: 'blue_background', toggleH2: 'blue' },
    });
    expect(await call.resolveSettings({})).toMatchObject({
      profile: 'Default',
      preset: { name: 'b1-default' },
    });
  });
});

describe('the answers', () => {
  it('list the voices once a version', async () => {
    const { start } = await serveFolder({ ELEVENLABS_API_KEY: 'key' });
    const call = await start();
    const full = await call.listVoices({});
    expect(full).toMatchObject({
      voices: [{ id: 'v-1', name: 'Wren', labels: { accent: 'irish' } }],
      voiceMap: { auto: true, speakers: { Teacher: 'Wren' } },
    });
    const again = await call.listVoices({ knownVersion: full.version });
    expect(again).toMatchObject({ version: full.version, voices: [] });
    expect(again.voiceMap).toBeUndefined();
  });

  it('have the same version on every replica', async () => {
    const { start } = await serveFolder();
    const [one, other] = await Promise.all([start(), start()]);
    expect((await one.getJobOptions({})).version).toBe((await other.getJobOptions({})).version);
  });

  it('refuse a preset or a database that does not exist', async () => {
    const { start } = await serveFolder({ NOTION_TOKEN: 'token' });
    const call = await start();
    await expect(call.resolveSettings({ preset: 'neon' })).rejects.toMatchObject(refusal('unknown_preset'));
    await expect(call.resolveSettings({ notionDatabase: 'db-77' })).rejects.toMatchObject(
      refusal('unknown_notion_database'),
    );
    expect(await call.resolveSettings({ notionDatabase: 'local' })).toMatchObject({
      notionDatabase: 'local',
    });
    expect(await call.resolveSettings({ student: 'Mira' })).toMatchObject({ notionDatabase: 'db-1' });
  });
});

describe('editing the catalog', () => {
  it('takes effect without a restart and is announced', async () => {
    const { write, start } = await serveFolder();
    const bus = await world.connectBus({ streams: [], consumers: [] });
    const announced = new Set<string>();
    bus.nc.subscribe('config.changed', {
      callback: (_, message) => {
        announced.add(fromBinary(CHANNELS.configChanged.schema, message.data).version);
      },
    });
    await bus.nc.flush();
    const call = await start();
    const before = await call.getJobOptions({});
    await write('presets.json', { 'calm-blue': {}, sunrise: {} });
    const after = await optionsWhen(call, ({ presets }) => presets.includes('sunrise'));
    expect(after.presets).toEqual(['calm-blue', 'sunrise']);
    expect(after.version).not.toBe(before.version);
    await eventually(() => (announced.has(before.version) && announced.has(after.version) ? true : null));
  });

  it('adds and removes students', async () => {
    const { write, remove, start } = await serveFolder();
    const call = await start();
    await write('students/Zoe.json', { student: 'Zoe', dbId: 'db-2' });
    await optionsWhen(call, ({ notionDatabases }) => notionDatabases.some(({ id }) => id === 'db-2'));
    await remove('students/Mira.json');
    const { notionDatabases, stale } = await optionsWhen(
      call,
      (options) => !options.notionDatabases.some(({ id }) => id === 'db-1'),
    );
    expect(notionDatabases.map(({ id }) => id)).toEqual(['local', 'db-2']);
    expect(stale).toBe(false);
  });

  it('is noticed by polling where watching cannot see it', async () => {
    const { write, remove, start } = await serveFolder();
    await remove('students');
    const call = await start({ ESL_PIPELINE_CONFIG_POLL_MS: '100' });
    expect((await call.getJobOptions({})).stale).toBe(true);
    await mkdir(join(world.folder, `catalog-${folders}`, 'students'));
    await optionsWhen(call, ({ stale }) => !stale);
    await write('students/Zoe.json', { student: 'Zoe', dbId: 'db-2' });
    await optionsWhen(call, ({ notionDatabases }) => notionDatabases.some(({ id }) => id === 'db-2'));
  });
});

describe('a broken file', () => {
  it('keeps its last good state and says so, while the other files move on', async () => {
    const { write, start } = await serveFolder();
    const call = await start();
    const good = await call.getJobOptions({});
    await write('presets.json', '{ "calm-blue": ');
    const stale = await optionsWhen(call, (options) => options.stale);
    expect(stale).toMatchObject({ presets: ['calm-blue'], loadedAt: good.loadedAt });
    expect(stale.version).not.toBe(good.version);
    await write('students/Zoe.json', { student: 'Zoe', dbId: 'db-2' });
    const moved = await optionsWhen(call, ({ notionDatabases }) =>
      notionDatabases.some(({ id }) => id === 'db-2'),
    );
    expect(moved).toMatchObject({ presets: ['calm-blue'], stale: true });
    await write('presets.json', { sunrise: {} });
    await optionsWhen(call, ({ presets, stale }) => !stale && presets[0] === 'sunrise');
  });

  it('of one student leaves all students as they were', async () => {
    const { write, start } = await serveFolder();
    const call = await start();
    await write('students/Mira.json', { student: 'Mira', dbId: 7 });
    await optionsWhen(call, (options) => options.stale);
    expect(await call.resolveSettings({ student: 'Mira' })).toMatchObject({ notionDatabase: 'db-1' });
  });

  it('has the same version as before once it is mended', async () => {
    const { write, remove, start } = await serveFolder();
    const call = await start();
    const { version } = await call.getJobOptions({});
    await remove('voices.yml');
    await optionsWhen(call, (options) => options.stale);
    await write('voices.yml', 'Teacher: Wren\n');
    expect(await optionsWhen(call, (options) => !options.stale)).toMatchObject({ version });
  });

  it('is stood in for at boot, part by part', async () => {
    const { write, start } = await serveFolder();
    await write('presets.json', 'oops');
    const call = await start({ ELEVENLABS_API_KEY: 'key', ELEVENLABS_VOICES_PATH: '/nowhere/voices.json' });
    expect(await call.getJobOptions({})).toMatchObject({
      stale: true,
      presets: ['b1-default'],
      voiceAccents: ['american_female', 'british_male'],
      voices: [],
      modes: ['auto', 'dialogue', 'monologue'],
      notionDatabases: [{ id: 'local' }, { id: 'db-1', name: 'Mira' }],
    });
    expect(await call.resolveSettings({})).toMatchObject({
      preset: { name: 'b1-default', h2: 'yellow_background', h3: 'purple_background' },
    });
  });
});

describe('without NATS', () => {
  it('answers all the same', async () => {
    const call = await serve({ NATS_URL: 'nats://127.0.0.1:1' });
    expect((await call.getJobOptions({})).stale).toBe(false);
  });
});
