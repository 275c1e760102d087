import type { BlobStore } from '@esl/kit/blob-store';
import type { JobSpec, RunJob } from '../src/pipeline/run.ts';
import { final } from '../src/pipeline/run-error.ts';
import type { Catalog } from '../src/pipeline/settings.ts';

export const JOB = '019b8d5c-7c00-7a3b-9c4d-5e6f70819203';
export const RERUN = '019b8d5c-7c00-7a3b-9c4d-5e6f70819204';
export const RERUN_2 = '019b8d5c-7c00-7a3b-9c4d-5e6f70819205';

export const aSpec = (over: Partial<JobSpec> = {}): JobSpec => ({
  lessonKey: 'lessons/lesson.md',
  preset: null,
  withTts: true,
  upload: null,
  voiceId: null,
  voiceAccent: null,
  forceTts: false,
  notionDatabase: null,
  mode: null,
  ...over,
});

export const aRunJob = (over: Partial<RunJob> = {}): RunJob => ({
  id: JOB,
  attempt: 1,
  ownerId: 'ana',
  parentJobId: null,
  spec: aSpec(),
  ...over,
});

/** A catalog that knows no student: what the job says, and the colours of every preset but one. */
export const smallCatalog: Catalog = {
  resolve: async ({ preset, voiceAccent, notionDatabase, mode }) => {
    if (preset === 'no-such-preset') throw final('unknown_preset', 'There is no such preset.');
    const colours = { h2: preset ? 'blue_background' : 'yellow_background' };
    return {
      preset: { name: preset ?? 'b1-default', colours },
      voiceAccent,
      notionDatabase,
      voiceMap: { auto: true, speakers: {} },
      mode,
      ttsProvider: null,
    };
  },
};

/**
 * A store that ends the run at its nth write, as a killed process would: right after it, or before it has any effect.
 * `written` are the writes that were made; `quiet` resolves when none is under way.
 */
export const killedAt = (blobs: BlobStore, write: number, when: 'after' | 'before' = 'after') => {
  const kill = new AbortController();
  const written: string[] = [];
  const puts: Promise<void>[] = [];
  const put: BlobStore['put'] = async (key, ...rest) => {
    kill.signal.throwIfAborted();
    const isLast = puts.length === write - 1;
    if (isLast && when === 'before') kill.abort(new Error('killed'));
    kill.signal.throwIfAborted();
    const stored = blobs.put(key, ...rest);
    puts.push(stored);
    await stored;
    written.push(key);
    if (isLast) kill.abort(new Error('killed'));
    kill.signal.throwIfAborted();
  };
  const quiet = () => Promise.allSettled(puts);
  return { store: { ...blobs, put }, written, quiet, signal: kill.signal };
};
