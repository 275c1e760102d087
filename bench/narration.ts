import { readFile } from 'node:fs/promises';
import { eventually } from '@esl/kit/testing/world';
import { startSystem } from '../e2e/system.ts';
import { dialogueOf } from '../services/worker/test/lessons.ts';
import { startElevenLabsServer } from '../services/worker/test/narration/elevenlabs-server.ts';
import type { Figure } from './measure.ts';

const line = (index: number) =>
  `This is line ${index} of a small talk about the weather, the harbour and the long way home.`;

const SEGMENTS = 40;
const PROVIDER_MS = 1_000;
const AT_ONCE = 5;

/** 40 segments by a provider that takes a second for each and lets five be under way, then the same lesson again. */
const benchPaid = async (): Promise<Figure[]> => {
  await using server = await startElevenLabsServer({ bench: { concurrency: AT_ONCE } });
  const shipped = await readFile(new URL('../configs/elevenlabs.voices.json', import.meta.url), 'utf8');
  for (const { id, name } of (JSON.parse(shipped) as { voices: { id: string; name: string }[] }).voices)
    server.addVoice(id, name);
  const system = await startSystem({
    env: {
      LOG_LEVEL: 'error',
      ELEVENLABS_API_KEY: 'bench',
      ELEVENLABS_BASE_URL: server.url,
      ELEVENLABS_CONCURRENCY: String(AT_ONCE),
    },
  });
  try {
    const narrate = async (name: string, lines: string[]) => {
      await system.putLesson(name, await dialogueOf(lines));
      const jobId = await system.submit({ md: name, withTts: true, mode: 'monologue' });
      const { steps, state } = await eventually(async () => {
        const job = await system.job(jobId);
        return job.finishedAt ? job : null;
      }, 120_000);
      if (state !== 'succeeded') throw new Error(`the narration ended ${state}`);
      const times = (step: string) => {
        const found = steps.find((each) => each.name === step);
        return { from: Date.parse(found?.startedAt ?? ''), to: Date.parse(found?.finishedAt ?? '') };
      };
      return { tts: times('tts'), page: times('import') };
    };
    await narrate('warm.md', ['A line to warm up with.', 'And its answer.']);
    server.setDelay(PROVIDER_MS);
    const lines = Array.from(
      { length: SEGMENTS },
      (_, index) => `Line ${index} of a talk about the harbour.`,
    );
    const { tts, page } = await narrate('paid.md', lines);
    const requests = server.speechRequests().length;
    await narrate('paid.md', lines);
    const idealMs = (SEGMENTS / AT_ONCE) * PROVIDER_MS;
    const took = tts.to - tts.from;
    const overlaps = page.from < tts.to && tts.from < page.to;
    return [
      {
        what: `${SEGMENTS} segments, ${PROVIDER_MS / 1_000} s each at the provider, ${AT_ONCE} at once`,
        value: `${(took / idealMs).toFixed(2)} × the ideal (${(took / 1_000).toFixed(2)} s against ${idealMs / 1_000} s)`,
        target: '≤ 1.15 ×',
        met: took <= 1.15 * idealMs,
      },
      {
        what: 'the page is made meanwhile',
        value: `${page.from - tts.from} ms after the narration began, for ${page.to - page.from} ms`,
        target: 'they overlap',
        met: overlaps,
      },
      {
        what: 'the same lesson again',
        value: `${server.speechRequests().length - requests} paid calls`,
        target: '0',
        met: server.speechRequests().length === requests,
      },
    ];
  } finally {
    await system.stop();
  }
};

export const benchNarration = async (): Promise<Figure[]> => [
  ...(await benchLocal()),
  ...(await benchPaid()),
];

/** A 20-line dialogue by the local narrator, then the same with one line changed. */
const benchLocal = async (): Promise<Figure[]> => {
  const system = await startSystem({ env: { LOG_LEVEL: 'error' } });
  try {
    const narrate = async (name: string, lines: string[]) => {
      await system.putLesson(name, await dialogueOf(lines));
      const jobId = await system.submit({ md: name, withTts: true });
      const job = await eventually(async () => {
        const now = await system.job(jobId);
        return now.finishedAt ? now : null;
      }, 120_000);
      const step = job.steps.find(({ name: which }) => which === 'tts');
      const manifest = (await (await fetch(job.links.manifest ?? '')).json()) as {
        audio: { durationMs: number };
      };
      const tookMs = Date.parse(step?.finishedAt ?? '') - Date.parse(step?.startedAt ?? '');
      return { tookMs, durationMs: manifest.audio.durationMs, detail: step?.detail ?? '' };
    };
    const lines = Array.from({ length: 20 }, (_, index) => line(index));
    await narrate('warm.md', ['A line to warm up with.', 'And its answer.']);
    const first = await narrate('first.md', lines);
    const second = await narrate('second.md', lines.with(10, 'Nobody had expected this.'));
    const speed = first.durationMs / first.tookMs;
    return [
      {
        what: '20-line dialogue, narrated locally',
        value: `${speed.toFixed(0)} × real time (${(first.durationMs / 1_000).toFixed(1)} s of speech in ${(first.tookMs / 1_000).toFixed(2)} s)`,
        target: '≥ 20 ×',
        met: speed >= 20,
      },
      {
        what: 'the same with one line changed',
        value: `${second.detail}; ${(second.tookMs / 1_000).toFixed(2)} s`,
        target: 'one line spoken',
        met: /\b1 spoken/.test(second.detail),
      },
    ];
  } finally {
    await system.stop();
  }
};
