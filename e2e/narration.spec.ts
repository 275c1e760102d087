import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually } from '@esl/kit/testing/world';
import { jobSchema } from '@esl-pipeline/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dialogueOf } from '../services/worker/test/lessons.ts';
import {
  type ElevenLabsServer,
  startElevenLabsServer,
} from '../services/worker/test/narration/elevenlabs-server.ts';
import { type System, startSystem } from './system.ts';

const LINES = ['Yes.', 'No, no.', 'Maybe so.'];

let server: ElevenLabsServer;
let system: System;
beforeAll(async () => {
  server = await startElevenLabsServer();
  const shipped = await readFile(new URL('../configs/elevenlabs.voices.json', import.meta.url), 'utf8');
  for (const { id, name } of (JSON.parse(shipped) as { voices: { id: string; name: string }[] }).voices)
    server.addVoice(id, name);
  system = await startSystem({
    env: { ELEVENLABS_API_KEY: server.key, ELEVENLABS_BASE_URL: server.url },
  });
}, 120_000);
afterAll(async () => {
  await system?.stop();
  await server?.stop();
});
afterEach(() => {
  server.forget();
  server.setDelay(0);
});

const finished = (jobId: string) =>
  eventually(async () => {
    const job = await system.job(jobId).catch(() => null);
    return job?.finishedAt ? job : null;
  }, 60_000);

describe('a lesson narrated by ElevenLabs', () => {
  it('shows its cast, what it cost and its transcript, and costs nothing again', async () => {
    await system.putLesson('paid.md', await dialogueOf(LINES));
    const job = jobSchema.parse(await finished(await system.submit({ md: 'paid.md', withTts: true })));
    expect(job.state).toBe('succeeded');
    const characters = LINES.join('').length;
    expect(job.narration).toMatchObject({
      engine: 'elevenlabs',
      mode: 'dialogue',
      characters,
      billedCharacters: characters,
    });
    expect(job.narration?.cast.map(({ speaker }) => speaker)).toEqual(['Ines', 'Paul']);
    const transcript = await fetch(job.links.transcript ?? '');
    expect(transcript.headers.get('content-type')).toBe('text/vtt; charset=utf-8');
    expect(await transcript.text()).toMatch(/^WEBVTT\n[\s\S]*<v Ines>Yes\./);

    const again = await finished(await system.submit({ md: 'paid.md', withTts: true }));
    expect(again.narration?.billedCharacters).toBe(0);
    expect(server.billed()).toBe(characters);
  }, 120_000);

  it('is paid for once when its worker is killed in the middle of a request', async () => {
    const line = 'Said to a worker that dies.';
    await system.putLesson('killed.md', await dialogueOf([line]));
    server.setDelay(60_000);
    const jobId = await system.submit({ md: 'killed.md', withTts: true });
    await eventually(() => (server.speechRequests().length > 0 ? true : null), 30_000);
    process.kill(system.stack.info().services.worker?.pid ?? 0, 'SIGKILL');
    server.setDelay(0);
    const job = await finished(jobId);
    expect(job).toMatchObject({ state: 'succeeded', attempt: 2 });
    expect(job.narration?.billedCharacters).toBe(line.length);
    expect(server.billed()).toBe(line.length);
  }, 120_000);
});

describe('npm run demo -- --dry-run', () => {
  const demo = (file: string) =>
    promisify(execFile)(
      process.execPath,
      [fileURLToPath(new URL('../deploy/local/demo.ts', import.meta.url)), '--dry-run', file],
      { env: { ...process.env, ESL_HOME: system.home }, timeout: 30_000 },
    );
  const sample = (name: string) => fileURLToPath(new URL(`../docs/lessons/${name}.md`, import.meta.url));

  it('prints what a run would do and cost, and does nothing', async () => {
    const { stdout } = await demo(sample('the-lost-parcel'));
    expect(stdout).toContain('the-lost-parcel: a run would');
    expect(stdout).toMatch(/narrate {2}a dialogue of 4 segments, (\d+) characters, about \1 credits/);
    expect(stdout).toMatch(/cast {5}Ines by \w+/);
    expect(server.speechRequests()).toEqual([]);
    const { body } = await system.get('/jobs');
    expect((body as { jobs: { md: string }[] }).jobs.map(({ md }) => md)).not.toContain('the-lost-parcel.md');
  }, 60_000);

  it('prints what is wrong, and fails', async () => {
    const failed = await demo(sample('broken-lesson')).catch(
      (error: { code: number; stdout: string }) => error,
    );
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stdout).toContain('broken-lesson: cannot be run');
  }, 60_000);
});
