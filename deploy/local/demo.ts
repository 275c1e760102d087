import { createWriteStream, existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Job, LessonReport } from '@esl-pipeline/contracts';
import { type LocalAccount, localAccount } from './account.ts';
import { followEvents } from './event-stream.ts';
import { planText } from './plan-text.ts';
import { commandOf } from './process-table.ts';
import { progressDisplay } from './progress-display.ts';
import { CannotStart, type StackInfo, startStack } from './stack.ts';

const SAMPLES = ['morning-at-the-harbour.md', 'the-lost-parcel.md'].map((name) =>
  fileURLToPath(new URL(`../../docs/lessons/${name}`, import.meta.url)),
);
const DEADLINE_MS = 15 * 60_000;

type Lesson = { readonly name: string; readonly file: string };

const home = resolve(process.env.ESL_HOME ?? '.esl/demo');
const DRY_RUN = '--dry-run';
const isDryRun = process.argv.includes(DRY_RUN);
const arguments_ = process.argv.slice(2).filter((argument) => argument !== DRY_RUN);
const files = (arguments_.length > 0 ? arguments_ : SAMPLES).map((file) => resolve(file));
const missing = files.filter((file) => !existsSync(file));
if (missing.length > 0) {
  console.error(`no such file: ${missing.join(', ')}`);
  process.exit(1);
}
/** Lessons of one name from different folders stay apart. */
const lessons: readonly Lesson[] = files.map((file, index) => {
  const name = basename(file, extname(file)).replace(/[^\p{L}\p{N}._-]+/gu, '-') || 'lesson';
  const isRepeated =
    files.findIndex((other) => basename(other, extname(other)) === basename(file, extname(file))) !== index;
  return { file, name: isRepeated ? `${name}-${index + 1}` : name };
});

/** The stack that runs in this home already, if one does. */
const runningStack = async (): Promise<StackInfo | null> => {
  const text = await readFile(join(home, 'stack.json'), 'utf8').catch(() => null);
  const info = text ? (JSON.parse(text) as StackInfo) : null;
  return info && commandOf(info.gateway.pid)?.includes('gateway') ? info : null;
};

const openStack = async (): Promise<{ url: string; stop: () => Promise<void> }> => {
  const running = await runningStack();
  if (running) return { url: running.gateway.url, stop: async () => {} };
  await mkdir(home, { recursive: true });
  const logFile = join(home, 'services.log');
  const log = createWriteStream(logFile);
  console.log(`starting nats-server, mongod and five services (log: ${logFile}) …`);
  const stack = await startStack({
    home,
    port: Number(process.env.PORT ?? 0),
    log: (source, line) => void log.write(`${source.padEnd(8)} | ${line}\n`),
  });
  return { url: stack.info().gateway.url, stop: stack.stop };
};

/** What a run would do, without doing it. */
const validate = async (
  url: string,
  account: LocalAccount | null,
  { name, file }: Lesson,
): Promise<boolean> => {
  const response = await fetch(`${url}/lessons/validate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(await account?.headers()) },
    body: JSON.stringify({ text: await readFile(file, 'utf8'), withTts: true }),
    signal: AbortSignal.timeout(30_000),
  });
  const body = (await response.json()) as LessonReport & { message?: string };
  if (!response.ok) throw new Error(`${name} cannot be looked at: ${body.message ?? response.status}`);
  console.log(`\n${planText(name, file, body)}`);
  return body.ok;
};

/** What a job names a lesson by: an upload, or without accounts a file in the lessons folder. */
const handOver = async (account: LocalAccount | null, { name, file }: Lesson): Promise<string> => {
  if (account) return await account.upload(`${name}.md`, await readFile(file));
  await copyFile(file, join(process.env.LESSONS_DIR ?? join(home, 'lessons'), `${name}.md`));
  return `${name}.md`;
};

const submit = async (url: string, account: LocalAccount | null, lesson: Lesson): Promise<string> => {
  const md = await handOver(account, lesson);
  const response = await fetch(`${url}/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(await account?.headers()) },
    body: JSON.stringify({ md, withTts: true }),
    signal: AbortSignal.timeout(30_000),
  });
  const body = (await response.json()) as { jobId?: string; message?: string };
  if (!body.jobId) throw new Error(`${lesson.name} was not accepted: ${body.message ?? response.status}`);
  return body.jobId;
};

const readJob = async (url: string, account: LocalAccount | null, jobId: string): Promise<Job> => {
  const headers = (await account?.headers()) ?? {};
  const signal = AbortSignal.timeout(30_000);
  return (await (await fetch(`${url}/jobs/${jobId}`, { headers, signal })).json()) as Job;
};

/** Watches the jobs until each is final. */
const follow = async (
  url: string,
  account: LocalAccount | null,
  jobs: ReadonlyMap<string, Lesson>,
  onJob: (lesson: Lesson, job: Job) => void,
) => {
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, AbortSignal.timeout(DEADLINE_MS)]);
  const open = new Set(jobs.keys());
  const latest = new Map<string, Job>();
  const see = (job: Job) => {
    const lesson = jobs.get(job.jobId);
    if (!lesson) return;
    latest.set(job.jobId, job);
    onJob(lesson, job);
    if (job.finishedAt) open.delete(job.jobId);
    if (open.size === 0) done.abort();
  };
  const readAll = () => Promise.all([...open].map(async (id) => see(await readJob(url, account, id))));
  const events = followEvents(
    `${url}/jobs/events?jobId=${[...jobs.keys()].join(',')}`,
    signal,
    () => void readAll().catch(() => {}),
    account?.headers,
  );
  for await (const event of events) {
    if (event.name === 'resync') await readAll();
    else see(event.data as Job);
  }
  if (open.size > 0) throw new Error('the lessons did not finish in time');
  return latest;
};

const download = async (url: string | null, file: string): Promise<string | null> => {
  if (!url) return null;
  const response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  await writeFile(file, Buffer.from(await response.arrayBuffer()));
  return file;
};

const report = async ({ name, file }: Lesson, job: Job): Promise<void> => {
  console.log(`\n${name}: ${job.state}`);
  for (const { severity, line, code, message } of job.findings)
    console.log(`  ${file}:${line} ${severity} ${code}: ${message}`);
  for (const { message } of job.warnings) console.log(`  note: ${message}`);
  if (job.error) console.log(`  ${job.error}`);
  if (job.state !== 'succeeded') return;
  const folder = join(home, 'out', name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [what, link, kept] of [
    ['page', job.links.page, 'page.html'],
    ['audio', job.links.audio, 'audio.mp3'],
    ['transcript', job.links.transcript, 'transcript.vtt'],
    ['manifest', job.links.manifest, 'manifest.json'],
  ] as const) {
    const saved = await download(link, join(folder, kept));
    if (saved) console.log(`  ${what.padEnd(11)}${saved}\n             ${link}`);
  }
};

const run = async (): Promise<number> => {
  const { url, stop } = await openStack();
  process.once('SIGINT', () => void stop().then(() => process.exit(130)));
  process.once('SIGTERM', () => void stop().then(() => process.exit(143)));
  try {
    const account = await localAccount(url, home);
    if (isDryRun) {
      let areFine = true;
      for (const lesson of lessons) areFine = (await validate(url, account, lesson)) && areFine;
      return areFine ? 0 : 1;
    }
    const jobs = new Map<string, Lesson>();
    for (const lesson of lessons) jobs.set(await submit(url, account, lesson), lesson);
    const display = progressDisplay(
      lessons.map(({ name }) => name),
      process.stdout,
    );
    display.draw();
    const finished = await follow(url, account, jobs, ({ name }, job) => display.update(name, job));
    for (const [jobId, lesson] of jobs) {
      const job = finished.get(jobId);
      if (job) await report(lesson, job);
    }
    return [...finished.values()].every(({ state }) => state === 'succeeded') ? 0 : 1;
  } finally {
    await stop();
  }
};

try {
  process.exit(await run());
} catch (error) {
  console.error(error instanceof CannotStart ? error.message : (error as Error).message);
  process.exit(1);
}
