import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectGrpc } from '@esl/kit/grpc-client';
import { ArtifactKind, JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { LessonsService } from '@esl-pipeline/contracts/esl/lessons/v1/lessons_service';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../config/src/config.ts';
import { startConfig } from '../../config/src/start.ts';
import { dialogueOf, sample } from './lessons.ts';
import { type ElevenLabsServer, startElevenLabsServer } from './narration/elevenlabs-server.ts';
import { keysUnder, openWorkerWorld, type WorkerWorld } from './worker-world.ts';

const LINES = ['Yes.', 'No, no.', 'Maybe so.'];

let world: WorkerWorld;
let server: ElevenLabsServer;
/** Where a worker with an ElevenLabs account serves. */
let address: string;
/** The environment of that worker: the real config service, with students and voices of the spec's own. */
let env: Record<string, string>;

const catalogFolder = async () => {
  const folder = join(world.folder, 'catalog');
  await mkdir(join(folder, 'students'), { recursive: true });
  const write = (name: string, content: unknown) => writeFile(join(folder, name), JSON.stringify(content));
  await write('presets.json', { 'b1-default': { h2: 'yellow_background' }, 'calm-blue': { h2: 'blue' } });
  await write('voices.yml', { auto: true });
  await write('students/Noor.json', {
    student: 'Noor',
    colorPreset: 'calm-blue',
    accentPreference: 'british',
    dbId: 'db-noor',
    voices: { Paul: 'Liam' },
  });
  const voices = server.voices.map(({ voice_id: id, name, category, labels }) => ({
    id,
    name,
    category,
    labels,
  }));
  await write('elevenlabs.voices.json', { voices });
  return folder;
};

beforeAll(async () => {
  [world, server] = await Promise.all([openWorkerWorld(), startElevenLabsServer()]);
  const config = loadConfig({
    ...world.env,
    ESL_PIPELINE_CONFIG_DIR: await catalogFolder(),
    ELEVENLABS_API_KEY: 'only that there is one matters here',
    ELEVENLABS_VOICES_SYNC_MS: '0',
  });
  const catalog = await world.run(startConfig({ config, log: world.log }));
  env = {
    CONFIG_ADDR: catalog.address,
    ELEVENLABS_API_KEY: server.key,
    ELEVENLABS_BASE_URL: server.url,
  };
  ({ address } = await world.start(env));
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await server?.stop();
});
afterEach(() => server.forget());
vi.setConfig({ testTimeout: 90_000 });

type Job = Awaited<ReturnType<WorkerWorld['job']>>;
const narrated = async (spec: Parameters<WorkerWorld['submit']>[1] = {}, lesson?: string): Promise<Job> => {
  const text = lesson ?? (await dialogueOf(LINES));
  return world.ended(await world.submit(text, { withTts: true, ...spec }), 60_000);
};
const voicesOf = async ({ id }: Pick<Job, 'id'>): Promise<Record<string, string>> => {
  const { audio } = await world.manifest(id);
  return Object.fromEntries(
    audio.voices.map((voice: { speaker: string; voiceName: string }) => [voice.speaker, voice.voiceName]),
  );
};
const accentOf = (name: string | undefined) =>
  server.voices.find((voice) => voice.name === name)?.labels.accent;

describe('a job with an ElevenLabs account', () => {
  it('is narrated by it, and leaves a transcript', async () => {
    const job = await narrated();
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(job.warnings.map(({ code }) => code)).toEqual(['published_locally']);
    expect(server.speechRequests()).toHaveLength(1);
    const characters = LINES.join('').length;
    expect(job.narration).toMatchObject({
      engine: 'elevenlabs',
      mode: 'dialogue',
      characters,
      billedCharacters: characters,
      cast: [{ speaker: 'Ines' }, { speaker: 'Paul' }],
    });
    expect(Number(job.narration?.durationMs)).toBeGreaterThan(1_000);
    const transcript = job.artifacts.find(({ kind }) => kind === ArtifactKind.TRANSCRIPT);
    expect(transcript).toMatchObject({ contentType: 'text/vtt; charset=utf-8' });
    const text = await world.blobs.get(transcript?.key ?? '', new AbortController().signal);
    expect(String(Buffer.from(text ?? []))).toContain('<v Paul>No, <');
  });

  it('fails for good when its key is revoked, and asks no more than once for each line under way', async () => {
    server.setAccount(server.key, null);
    const job = await narrated({}, await dialogueOf(['This was never said before.']));
    server.setAccount(server.key, {});
    expect(job).toMatchObject({
      state: JobState.FAILED,
      attempt: 1,
      failure: { code: 'elevenlabs_key_rejected', step: 'tts', retryable: false },
    });
    expect(job.failure?.message).toContain('enter a valid one in the settings');
    expect(server.speechRequests()).toHaveLength(1);
    expect(job.artifacts.map(({ kind }) => kind)).not.toContain(ArtifactKind.AUDIO);
  });
});

describe('what a job asks for is honoured', () => {
  it('mode', async () => {
    const lesson = await dialogueOf(['One mode.', 'Another mode.']);
    await narrated({ mode: 'monologue' }, lesson);
    expect(server.speechRequests().map(({ path }) => path.split('/')[2])).toEqual([
      'text-to-speech',
      'text-to-speech',
    ]);
    await narrated({ mode: 'dialogue' }, lesson);
    expect(server.speechRequests().at(-1)?.path).toContain('text-to-dialogue');
  });

  it('voiceId, by name or id, for the first speaker without a voice of their own', async () => {
    expect(await voicesOf(await narrated({ voiceId: 'Roger' }))).toMatchObject({ Ines: 'Roger' });
    const liam = server.voices.find(({ name }) => name === 'Liam')?.voice_id ?? '';
    expect(await voicesOf(await narrated({ voiceId: liam }))).toMatchObject({ Ines: 'Liam' });
  });

  it('voiceAccent, with or without a gender', async () => {
    const british = Object.values(await voicesOf(await narrated({ voiceAccent: 'british' })));
    expect(british.map(accentOf)).toEqual(['british', 'british']);
    const voices = await voicesOf(await narrated({ voiceAccent: 'american_male' }));
    expect(voices.Ines).toMatch(/^(Roger|Liam)$/);
    expect(accentOf(voices.Ines)).toBe('american');
  });

  it('forceTts', async () => {
    await narrated();
    const before = server.speechRequests().length;
    const job = await narrated({ forceTts: true });
    expect(server.speechRequests()).toHaveLength(before + 1);
    expect(job.steps.find(({ name }) => name === 'tts')?.detail).toMatch(/^3 spoken, 0 from the cache/);
  });

  it('what the student’s profile says: preset, accent, database and voices', async () => {
    const lesson = (await dialogueOf(LINES)).replace('student: Mira', 'student: Noor');
    const job = await narrated({}, lesson);
    const manifest = await world.manifest(job.id);
    expect(manifest).toMatchObject({ preset: 'calm-blue', database: 'db-noor' });
    const voices = await voicesOf(job);
    expect(voices.Paul).toBe('Liam');
    expect(accentOf(voices.Ines)).toBe('british');
  });

  it('what it asks for comes before the student’s profile', async () => {
    const lesson = (await dialogueOf(LINES)).replace('student: Mira', 'student: Noor');
    const job = await narrated({ preset: 'b1-default', voiceAccent: 'american' }, lesson);
    expect((await world.manifest(job.id)).preset).toBe('b1-default');
    expect(accentOf((await voicesOf(job)).Ines)).toBe('american');
  });
});

describe('looking at a lesson', () => {
  const validate = async (text: string, spec = {}) => {
    const client = connectGrpc(LessonsService, { address, deadlineMs: 5_000 });
    try {
      return await client.call.validate({ text, spec, ownerId: '' });
    } finally {
      client.close();
    }
  };

  it('says what ElevenLabs would say and cost, and asks, stores and pays nothing', async () => {
    const before = await keysUnder(world.blobFolder, '.');
    const lesson = await dialogueOf(['A line nobody has heard.', 'And one more.']);
    const { plan } = await validate(lesson, { mode: 'dialogue', voiceAccent: 'british' });
    expect(plan).toMatchObject({ mode: 'dialogue', segments: 2, characters: 37, estimatedCost: 37 });
    expect(plan?.cast.map(({ speaker, source }) => [speaker, source])).toEqual([
      ['Ines', 'auto'],
      ['Paul', 'auto'],
    ]);
    expect(plan?.cast.map(({ voiceName }) => accentOf(voiceName))).toEqual(['british', 'british']);
    expect(server.seen).toEqual([]);
    expect(await keysUnder(world.blobFolder, '.')).toEqual(before);
  });

  it('plans with exactly the voices of the run', async () => {
    const lesson = await sample('street-party');
    const { plan } = await validate(lesson);
    const job = await narrated({}, lesson);
    const planned = plan?.cast.map(({ speaker, voiceName }) => [speaker, voiceName]) ?? [];
    expect(await voicesOf(job)).toEqual(Object.fromEntries(planned));
  });
});
