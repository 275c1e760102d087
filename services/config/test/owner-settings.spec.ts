import { connectGrpc } from '@esl/kit/grpc-client';
import { seal, sealKeys, unseal } from '@esl/kit/seal';
import { eventually, openWorld, type World } from '@esl/kit/testing/world';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { OwnerSettingsService } from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../src/config.ts';
import { startConfig } from '../src/start.ts';

let world: World;
const serve = async (env: Record<string, string> = {}) => {
  const config = loadConfig({ ...world.env, ...env });
  const { address } = await world.run(startConfig({ config, log: world.log }));
  const owners = connectGrpc(OwnerSettingsService, { address, deadlineMs: 5_000 });
  const catalog = connectGrpc(ConfigService, { address, deadlineMs: 5_000 });
  world.defer(owners.close);
  world.defer(catalog.close);
  return { owners: owners.call, catalog: catalog.call };
};
type Served = Awaited<ReturnType<typeof serve>>;

let owners: Served['owners'];
let catalog: Served['catalog'];
beforeAll(async () => {
  world = await openWorld();
  ({ owners, catalog } = await serve());
});
afterAll(() => world[Symbol.asyncDispose]());

let count = 0;
const anOwner = () => {
  count += 1;
  return `owner-${count}`;
};
const settingsOf = async (ownerId: string) => (await owners.getOwnerSettings({ ownerId })).settings;
const refusal = (code: string) => ({ refusal: expect.objectContaining({ code }) });

const keys = sealKeys.parse(`v1:${Buffer.alloc(32, 7).toString('base64')}`);
const sealed = (ownerId: string, purpose: string) => seal(keys, { ownerId, purpose }, `secret of ${ownerId}`);

const DEFAULTS = {
  hasElevenlabsKey: false,
  hasNotionToken: false,
  ttsProvider: 'elevenlabs',
  defaultPreset: 'b1-default',
  defaultVoiceAccent: 'american',
  defaultTtsMode: 'auto',
  enableNotifications: true,
};

describe('settings of an owner', () => {
  it('are the defaults until something is set', async () => {
    const settings = await settingsOf(anOwner());
    expect(settings).toMatchObject(DEFAULTS);
    expect(settings?.createdAt).toBeUndefined();
  });

  it('change only where the change says so', async () => {
    const ownerId = anOwner();
    const { settings: first } = await owners.updateOwnerSettings({
      ownerId,
      defaultPreset: { value: 'calm-blue' },
    });
    expect(first).toMatchObject({ ...DEFAULTS, defaultPreset: 'calm-blue' });
    const { settings } = await owners.updateOwnerSettings({
      ownerId,
      enableNotifications: false,
      defaultTtsMode: { value: 'dialogue' },
    });
    const expected = {
      ...DEFAULTS,
      defaultPreset: 'calm-blue',
      defaultTtsMode: 'dialogue',
      enableNotifications: false,
    };
    expect(settings).toMatchObject({ ...expected, createdAt: first?.createdAt });
    expect(await settingsOf(ownerId)).toEqual(settings);
    expect(await settingsOf(anOwner())).toMatchObject(DEFAULTS);
  });

  it('may be cleared, which is not the default', async () => {
    const ownerId = anOwner();
    await owners.updateOwnerSettings({ ownerId, defaultPreset: {}, ttsProvider: {} });
    const settings = await settingsOf(ownerId);
    expect(settings).toMatchObject({ defaultVoiceAccent: 'american' });
    expect([settings?.defaultPreset, settings?.ttsProvider]).toEqual([undefined, undefined]);
  });

  it('lose nothing when several places change them at once', async () => {
    const ownerId = anOwner();
    await Promise.all([
      owners.updateOwnerSettings({ ownerId, defaultPreset: { value: 'a' } }),
      owners.updateOwnerSettings({ ownerId, defaultVoiceAccent: { value: 'irish' } }),
      owners.updateOwnerSettings({ ownerId, ttsProvider: { value: 'azure' } }),
      owners.updateOwnerSettings({ ownerId, notionToken: { sealed: sealed(ownerId, 'notion_token') } }),
    ]);
    expect(await settingsOf(ownerId)).toMatchObject({
      defaultPreset: 'a',
      defaultVoiceAccent: 'irish',
      ttsProvider: 'azure',
      hasNotionToken: true,
    });
  });

  it.each([
    ['owner_required', { ownerId: '' }],
    ['invalid_tts_provider', { ttsProvider: { value: 'festival' } }],
    ['invalid_tts_mode', { defaultTtsMode: { value: 'opera' } }],
    ['invalid_settings', { defaultPreset: { value: ' ' } }],
    ['invalid_settings', { defaultVoiceAccent: { value: 'x'.repeat(1_025) } }],
  ])('are refused with %s', async (code, over) => {
    const ownerId = anOwner();
    await expect(owners.updateOwnerSettings({ ownerId, ...over })).rejects.toMatchObject(refusal(code));
    expect(await settingsOf(ownerId)).toMatchObject(DEFAULTS);
  });
});

describe('keys of an owner', () => {
  it('come back as they were sealed, only for their owner, and are never among the settings', async () => {
    const ownerId = anOwner();
    const token = sealed(ownerId, 'notion_token');
    const { settings } = await owners.updateOwnerSettings({ ownerId, notionToken: { sealed: token } });
    expect(settings).toMatchObject({ hasNotionToken: true, hasElevenlabsKey: false });
    expect(JSON.stringify(settings, (_, value) => (typeof value === 'bigint' ? 0 : value))).not.toContain(
      token,
    );
    const kept = await owners.getOwnerKeys({ ownerId });
    expect(kept.elevenlabsKey).toBeUndefined();
    expect(unseal(keys, { ownerId, purpose: 'notion_token' }, kept.notionToken ?? '')).toBe(
      `secret of ${ownerId}`,
    );
    expect(await owners.getOwnerKeys({ ownerId: anOwner() })).toEqual(
      expect.not.objectContaining({ notionToken: expect.anything() }),
    );
  });

  it('are forgotten when cleared', async () => {
    const ownerId = anOwner();
    await owners.updateOwnerSettings({
      ownerId,
      elevenlabsKey: { sealed: sealed(ownerId, 'elevenlabs_key') },
    });
    await owners.updateOwnerSettings({ ownerId, elevenlabsKey: {} });
    expect(await settingsOf(ownerId)).toMatchObject({ hasElevenlabsKey: false });
    expect((await owners.getOwnerKeys({ ownerId })).elevenlabsKey).toBeUndefined();
  });

  it('are refused when they were not sealed, and stored nowhere', async () => {
    const plain = 'ntn_plain_and_open';
    const ownerId = anOwner();
    await expect(
      owners.updateOwnerSettings({ ownerId, notionToken: { sealed: plain } }),
    ).rejects.toMatchObject(refusal('invalid_notion_token'));
    await expect(
      owners.updateOwnerSettings({ ownerId, elevenlabsKey: { sealed: plain } }),
    ).rejects.toMatchObject(refusal('invalid_elevenlabs_key'));
    const stored = await world.mongo.db.collection('owner_settings').find().toArray();
    expect(JSON.stringify(stored)).not.toContain(plain);
  });
});

describe('a job’s settings', () => {
  it('take its owner’s defaults where job and student say nothing', async () => {
    const ownerId = anOwner();
    await owners.updateOwnerSettings({
      ownerId,
      defaultPreset: { value: 'calm-blue' },
      defaultTtsMode: { value: 'monologue' },
      ttsProvider: { value: 'local' },
    });
    expect(await catalog.resolveSettings({ ownerId })).toMatchObject({
      preset: { name: 'calm-blue' },
      voiceAccent: 'american',
      mode: 'monologue',
      ttsProvider: 'local',
    });
  });

  it('are nobody’s while accounts are off', async () => {
    const settings = await catalog.resolveSettings({ ownerId: 'anonymous' });
    expect(settings).toMatchObject({ preset: { name: 'b1-default' }, mode: 'auto' });
    expect([settings.voiceAccent, settings.ttsProvider]).toEqual([undefined, undefined]);
  });

  it('have the mode of the environment when nobody says one', async () => {
    const { catalog: other } = await serve({ ELEVENLABS_TTS_MODE: 'dialogue' });
    expect(await other.resolveSettings({})).toMatchObject({ mode: 'dialogue' });
    expect(await other.resolveSettings({ mode: 'monologue' })).toMatchObject({ mode: 'monologue' });
  });

  it('are announced when their owner changes them', async () => {
    const bus = await world.connectBus({ streams: [], consumers: [] });
    let announced = 0;
    bus.nc.subscribe('config.changed', {
      callback: () => {
        announced += 1;
      },
    });
    await bus.nc.flush();
    await owners.updateOwnerSettings({ ownerId: anOwner(), defaultPreset: {} });
    await eventually(() => announced || null);
  });
});

describe('while MongoDB is down', () => {
  it('the catalog answers, and owners are told to come again', async () => {
    const down = await serve({ MONGODB_URL: 'mongodb://127.0.0.1:1/?directConnection=true' });
    expect((await down.catalog.getJobOptions({})).presets).toContain('b1-default');
    expect(await down.catalog.resolveSettings({ student: 'Mira' })).toMatchObject({ profile: 'Mira' });
    const asked = await Promise.allSettled([
      down.owners.getOwnerSettings({ ownerId: 'ana' }),
      down.owners.getOwnerKeys({ ownerId: 'ana' }),
      down.owners.updateOwnerSettings({ ownerId: 'ana', defaultPreset: {} }),
      down.catalog.resolveSettings({ ownerId: 'ana' }),
    ]);
    expect(asked).toMatchObject(Array(4).fill({ status: 'rejected', reason: refusal('unavailable') }));
  });
});
