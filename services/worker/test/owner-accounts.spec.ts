import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filesystemBlobStore } from '@esl/kit/blob-store';
import { connectGrpc } from '@esl/kit/grpc-client';
import { createLog } from '@esl/kit/log';
import { seal, sealKeys } from '@esl/kit/seal';
import { eventually, openWorld, type World } from '@esl/kit/testing/world';
import { STREAMS } from '@esl-pipeline/contracts/bus';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { OwnerSettingsService } from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import { JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { LessonsService } from '@esl-pipeline/contracts/esl/lessons/v1/lessons_service';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadConfig as loadConfigServiceConfig } from '../../config/src/config.ts';
import { startConfig } from '../../config/src/start.ts';
import { loadConfig as loadJobsConfig } from '../../jobs/src/config.ts';
import { startJobs } from '../../jobs/src/start.ts';
import { newJobId } from '../../jobs/test/builders.ts';
import { loadConfig } from '../src/config.ts';
import { manifestKey } from '../src/pipeline/checkpoint.ts';
import { startWorker } from '../src/start.ts';
import { dialogueOf } from './lessons.ts';
import { type ElevenLabsServer, startElevenLabsServer } from './narration/elevenlabs-server.ts';
import { type NotionServer, openNotionServer } from './notion/notion-server.ts';
import { FULL_SCHEMA } from './notion/notion-world.ts';
import { keysUnder, signal, topology } from './worker-world.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Marked, so that they are found wherever they leak to. */
const SYSTEM_KEY = 'el-MARK-of-the-system';
const ANA_KEY = 'el-MARK-of-ana';
const SECRETS_KEYS = `v2:${Buffer.alloc(32, 'MARK-seal').toString('base64')},v1:${Buffer.alloc(32, 1).toString('base64')}`;
const MARKS = [SYSTEM_KEY, ANA_KEY, 'MARK', SECRETS_KEYS.slice(3, 40)];

let world: World;
let elevenLabs: ElevenLabsServer;
let notion: NotionServer;
const lines: string[] = [];
let jobs = 0;
const open = async () => {
  world = await openWorld();
  elevenLabs = await startElevenLabsServer({ [SYSTEM_KEY]: {}, [ANA_KEY]: {} });
  world.defer(elevenLabs.stop);
  notion = await openNotionServer();
  world.defer(() => notion[Symbol.asyncDispose]());
  const log = createLog('test', 'trace', { write: (line) => void lines.push(line) });
  const env = {
    ...world.env,
    ELEVENLABS_API_KEY: SYSTEM_KEY,
    ELEVENLABS_BASE_URL: elevenLabs.url,
    ESL_PIPELINE_CONFIG_POLL_MS: '200',
    NOTION_BASE_URL: notion.url,
    SECRETS_KEYS,
  };
  const jobsService = await world.run(startJobs({ config: loadJobsConfig(env), log }));
  const config = await world.run(startConfig({ config: loadConfigServiceConfig(env), log }));
  const blobFolder = join(world.folder, 'blobs');
  const worker = await world.run(
    startWorker({
      config: loadConfig({
        ...env,
        JOBS_ADDR: jobsService.address,
        CONFIG_ADDR: config.address,
        BLOB_DIR: blobFolder,
      }),
      log,
    }),
  );
  const clients = {
    jobs: connectGrpc(JobsService, { address: jobsService.address, deadlineMs: 5_000 }),
    owners: connectGrpc(OwnerSettingsService, { address: config.address, deadlineMs: 5_000 }),
    catalog: connectGrpc(ConfigService, { address: config.address, deadlineMs: 5_000 }),
    lessons: connectGrpc(LessonsService, { address: worker.address, deadlineMs: 5_000 }),
  };
  for (const client of Object.values(clients)) world.defer(client.close);
  await eventually(async () => {
    const { voices } = await clients.catalog.call.listVoices({});
    return voices.some(({ name }) => name === 'Bella') || null;
  });
  const blobs = filesystemBlobStore(blobFolder);
  const bus = await world.connectBus(topology);
  return {
    owners: clients.owners.call,
    lessons: clients.lessons.call,
    blobFolder,
    bus,
    manifestOf: async (jobId: string) =>
      JSON.parse(Buffer.from((await blobs.get(manifestKey(jobId), signal)) ?? 'null').toString()),
    /** Runs a job to its end. */
    run: async (ownerId: string, { spec = {}, text }: { spec?: object; text?: string } = {}) => {
      const id = newJobId();
      jobs += 1;
      const lessonKey = `lessons/${id}.md`;
      const lesson = text ?? (await dialogueOf([`Hello ${jobs}.`, 'Yes?']));
      await blobs.put(lessonKey, Buffer.from(lesson), { contentType: 'text/markdown' }, signal);
      await clients.jobs.call.createJobs({
        jobs: [{ id, ownerId, spec: { md: 'lesson.md', lessonKey, withTts: true, ...spec } }],
      });
      return eventually(async () => {
        const { job } = await clients.jobs.call.getJob({
          scope: { reach: { case: 'everyone', value: true } },
          jobId: id,
        });
        return job?.state === JobState.SUCCEEDED || job?.state === JobState.FAILED ? job : null;
      }, 60_000);
    },
  };
};

let system: Awaited<ReturnType<typeof open>>;
beforeAll(async () => {
  system = await open();
});
afterAll(() => world?.[Symbol.asyncDispose]());

const sealed = (ownerId: string, purpose: string, secret: string, keys = SECRETS_KEYS) => ({
  sealed: seal(sealKeys.parse(keys), { ownerId, purpose }, secret),
});
const keyed = (ownerId: string, secret: string) =>
  system.owners.updateOwnerSettings({ ownerId, elevenlabsKey: sealed(ownerId, 'elevenlabs_key', secret) });
const billedFor = async (key: string, work: () => Promise<unknown>) => {
  const before = elevenLabs.billed(key);
  await work();
  return elevenLabs.billed(key) - before;
};
type Job = Awaited<ReturnType<typeof system.run>>;
const codes = ({ warnings }: Job) => warnings.map(({ code }) => code);

describe('an owner’s jobs', () => {
  it('are narrated on their own account, and everybody else’s on the system’s', async () => {
    await keyed('ana', ANA_KEY);
    expect(await billedFor(ANA_KEY, () => system.run('ana'))).toBeGreaterThan(0);
    expect(await billedFor(ANA_KEY, () => system.run('bob'))).toBe(0);
    expect(await billedFor(SYSTEM_KEY, () => system.run('bob'))).toBeGreaterThan(0);
  });

  it('follow a new key at once', async () => {
    await keyed('eva', SYSTEM_KEY);
    await system.run('eva');
    await keyed('eva', ANA_KEY);
    expect(await billedFor(ANA_KEY, () => system.run('eva'))).toBeGreaterThan(0);
    await system.owners.updateOwnerSettings({ ownerId: 'eva', elevenlabsKey: {} });
    expect(await billedFor(SYSTEM_KEY, () => system.run('eva'))).toBeGreaterThan(0);
  });

  it('are narrated here when they want that, whatever keys there are', async () => {
    await keyed('cleo', ANA_KEY);
    await system.owners.updateOwnerSettings({ ownerId: 'cleo', ttsProvider: { value: 'local' } });
    const before = elevenLabs.billed();
    const job = await system.run('cleo');

    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(elevenLabs.billed()).toBe(before);
    expect(codes(job)).not.toContain('narrated_locally');
  });

  it('have their defaults', async () => {
    await system.owners.updateOwnerSettings({
      ownerId: 'dora',
      ttsProvider: { value: 'local' },
      defaultVoiceAccent: { value: 'scottish' },
      defaultTtsMode: { value: 'monologue' },
    });
    const silent = await system.run('dora');
    expect(await system.manifestOf(silent.id)).toMatchObject({ ttsMode: 'monologue' });
    const said = await system.run('dora', { spec: { mode: 'dialogue' } });
    expect(await system.manifestOf(said.id)).toMatchObject({ ttsMode: 'dialogue' });
  });

  it('fail when their key cannot be read, and nobody else pays', async () => {
    const other = `v1:${Buffer.alloc(32, 9).toString('base64')}`;
    await system.owners.updateOwnerSettings({
      ownerId: 'finn',
      elevenlabsKey: sealed('finn', 'elevenlabs_key', ANA_KEY, other),
    });
    const before = elevenLabs.billed();
    const job = await system.run('finn');
    expect(job).toMatchObject({
      state: JobState.FAILED,
      attempt: 1,
      failure: {
        code: 'owner_key_unreadable',
        retryable: false,
        message:
          'Your ElevenLabs key can no longer be read. Enter it again in your settings, then retry the job.',
      },
    });
    expect(elevenLabs.billed()).toBe(before);
    const silent = await system.run('finn', { spec: { withTts: false } });
    expect(silent.state).toBe(JobState.SUCCEEDED);
  });

  it('open keys of an older seal', async () => {
    const [, old = ''] = SECRETS_KEYS.split(',');
    await system.owners.updateOwnerSettings({
      ownerId: 'gus',
      elevenlabsKey: sealed('gus', 'elevenlabs_key', ANA_KEY, old),
    });
    expect(await billedFor(ANA_KEY, () => system.run('gus'))).toBeGreaterThan(0);
  });
});

describe('an owner’s pages', () => {
  const SILENT = { withTts: false };
  const tokened = (ownerId: string, token: string, keys = SECRETS_KEYS) =>
    system.owners.updateOwnerSettings({ ownerId, notionToken: sealed(ownerId, 'notion_token', token, keys) });

  it('are in the owner’s own Notion, in any database there, and everybody else’s are here', async () => {
    const { id: notionDatabase } = notion.givenDatabase('Homework', FULL_SCHEMA);
    await tokened('nina', notion.token);
    const job = await system.run('nina', { spec: { ...SILENT, notionDatabase } });
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, warnings: [] });
    expect(notion.livePages()).toHaveLength(1);
    expect(codes(await system.run('olga', { spec: SILENT }))).toEqual(['published_locally']);
    const refused = await system.run('olga', { spec: { ...SILENT, notionDatabase } });
    expect(refused.failure?.code).toBe('unknown_notion_database');
    expect(notion.livePages()).toHaveLength(1);
  });

  it('fail when the token cannot be read, or is refused, and are not made elsewhere', async () => {
    await tokened('pia', notion.token, `v1:${Buffer.alloc(32, 9).toString('base64')}`);
    const unread = await system.run('pia', { spec: SILENT });
    expect(unread).toMatchObject({
      artifacts: [],
      failure: { code: 'owner_key_unreadable', retryable: false },
    });
    await tokened('pia', 'ntn_MARK_revoked');
    const refused = await system.run('pia', {
      spec: { ...SILENT, notionDatabase: notion.givenDatabase('Hers', FULL_SCHEMA).id },
    });
    expect(refused).toMatchObject({ attempt: 1, artifacts: [], failure: { code: 'notion_unauthorized' } });
  });
});

describe('the plan of a lesson', () => {
  it('is made for its owner', async () => {
    const text = await dialogueOf(['Hello.', 'Hi.']);
    const spec = { withTts: true };
    const voicesOf = async (ownerId: string) =>
      (await system.lessons.validate({ text, spec, ownerId })).plan?.cast.map(({ voiceId }) => voiceId) ?? [];
    const local = await voicesOf('cleo');
    expect(local.every((voice) => voice.startsWith('local-'))).toBe(true);
    expect((await voicesOf('ana')).some((voice) => voice.startsWith('local-'))).toBe(false);
    await expect(system.lessons.validate({ text, spec, ownerId: 'finn' })).rejects.toMatchObject({
      refusal: { code: 'owner_key_unreadable' },
    });
  });
});

describe('secrets', () => {
  it('are in no log line, event, document or file of all these jobs', async () => {
    await keyed('hana', 'el-MARK-revoked');
    const refused = await system.run('hana');
    expect(refused.state).toBe(JobState.FAILED);

    const marks = [...MARKS, notion.token];
    const places: Record<string, string[]> = { logs: lines, events: [], documents: [], files: [] };
    for (const name of Object.keys(STREAMS)) {
      const stream = await system.bus.jsm.streams.info(name);
      for (let seq = stream.state.first_seq; seq <= stream.state.last_seq; seq += 1) {
        const message = await system.bus.jsm.streams.getMessage(name, { seq }).catch(() => null);
        if (message) places.events?.push(`${message.subject} ${Buffer.from(message.data)} ${message.header}`);
      }
    }
    for (const { name } of await world.mongo.db.listCollections().toArray())
      for (const document of await world.mongo.db.collection(name).find().toArray())
        places.documents?.push(JSON.stringify(document));
    for (const file of await keysUnder(system.blobFolder, '.'))
      places.files?.push(`${file} ${await readFile(file, 'latin1')}`);

    for (const [place, texts] of Object.entries(places)) {
      expect(texts.length, place).toBeGreaterThan(0);
      for (const mark of marks)
        expect(
          texts.filter((text) => text.includes(mark)),
          place,
        ).toEqual([]);
    }
  });
});
