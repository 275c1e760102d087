import { eventually } from '@esl/kit/testing/world';
import { startSystem } from '../e2e/system.ts';
import { dialogueOf } from '../services/worker/test/lessons.ts';
import type { Figure } from './measure.ts';

const line = (index: number) =>
  `This is line ${index} of a small talk about the weather, the harbour and the long way home.`;

/** A 20-line dialogue by the local narrator, then the same with one line changed. */
export const benchNarration = async (): Promise<Figure[]> => {
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
