// Runs the steps of one job.
//   P1. A step begins when all it needs have ended well; steps that need nothing of each other run side by side.
//   P2. What a step did outside is in the checkpoint before any step that needs it begins.
//   P3. The first failure stops the others, and is the one reported.
//   P4. When the signal fires the run ends at once. A step that is slow to notice can do no more harm: before each
//       effect it asks for the lease.

import { setMaxListeners } from 'node:events';
import { longSeconds } from '@esl/kit/metrics';
import { inSpan } from '@esl/kit/tracing';
import type { Finding } from '../lesson/findings.ts';
import { TRANSCRIPT_TYPE } from '../narration/transcript.ts';
import { orAborted } from '../or-aborted.ts';
import { openCheckpoint } from './checkpoint.ts';
import type {
  Artifact,
  LessonSummary,
  NarrationSummary,
  Ports,
  Progress,
  Results,
  Run,
  RunJob,
  RunResult,
  Step,
  StepName,
  StepSpec,
  Warning,
} from './run.ts';
import { RunError, toRunError } from './run-error.ts';
import { STEPS } from './steps.ts';

export type RunEnd =
  | { readonly kind: 'succeeded'; readonly result: RunResult }
  | {
      readonly kind: 'failed';
      readonly result: RunResult;
      readonly step: StepName | null;
      readonly error: RunError;
    }
  /** The signal fired first; its reason says why. */
  | { readonly kind: 'stopped'; readonly result: RunResult };

export type RunProgress = {
  readonly steps: readonly Step[];
  readonly progress: Progress | null;
  readonly lesson: LessonSummary | null;
};

const took = longSeconds('esl_step_seconds', 'Time a step of the pipeline took', ['step', 'state']);

const PENDING: readonly Step[] = STEPS.map(({ name }) => ({
  name,
  state: 'pending',
  startedAt: null,
  finishedAt: null,
  detail: null,
}));

/** The end of a run for which not even the ports could be had. */
export const endWithoutSteps = (error: unknown, signal: AbortSignal): RunEnd => {
  const result = { steps: PENDING, warnings: [], findings: [], artifacts: [], narration: null, lesson: null };
  return signal.aborted
    ? { kind: 'stopped', result }
    : { kind: 'failed', result, step: null, error: toRunError(error) };
};

/** Runs a job to its end. Never rejects. `report` is called at each change, with everything known by then. */
export const runPipeline = async (
  job: RunJob,
  ports: Ports,
  signal: AbortSignal,
  report: (progress: RunProgress) => void = () => {},
): Promise<RunEnd> => {
  const steps = new Map<StepName, Step>(PENDING.map((step) => [step.name, step]));
  const units = new Map<StepName, Progress>();
  const warnings = new Map<string, Warning>();
  const found: Finding[] = [];
  const results: Run['results'] = {};
  let narration: NarrationSummary | null = null;
  let lesson: LessonSummary | null = null;
  let failure: { step: StepName | null; error: RunError } | null = null;
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  setMaxListeners(0, stop, signal);

  const result = (): RunResult => ({
    steps: [...steps.values()],
    warnings: [...warnings.values()],
    findings: found,
    artifacts: artifactsOf(results),
    narration,
    lesson,
  });
  const fail = (step: StepName | null, error: unknown) => {
    if (failure || signal.aborted) return;
    failure = { step, error: toRunError(error) };
    failed.abort(error);
  };
  const change = (name: StepName, fields: Partial<Step>) => {
    const step = steps.get(name);
    if (step) steps.set(name, { ...step, ...fields });
    report({ steps: [...steps.values()], progress: shownProgress(steps, units), lesson });
  };

  const perform = async (spec: StepSpec, run: Run): Promise<void> => {
    const { name, timeoutMs } = spec;
    stop.throwIfAborted();
    const reason = spec.skip(run);
    if (reason !== null) return change(name, { state: 'skipped', detail: reason });
    change(name, { state: 'running', startedAt: ports.now() });
    const end = took.startTimer({ step: name });
    const over = new AbortController();
    const late = new RunError('step_timed_out', 'A step of the work took too long.', { retryable: true });
    const timer = setTimeout(() => over.abort(late), timeoutMs);
    const stepSignal = AbortSignal.any([stop, over.signal]);
    const onProgress = (done: number, total: number) => {
      if (stepSignal.aborted) return;
      units.set(name, { step: name, done, total });
      change(name, {});
    };
    try {
      const tools = { signal: stepSignal, onProgress };
      const done = await inSpan({ name: `step ${name}`, kind: 'internal' }, () =>
        orAborted(spec.run(run, tools), stepSignal),
      );
      Object.assign(results, { [name]: done.output });
      if (done.inputHash) {
        run.checkpoint.record(name, done.inputHash, done.output);
        const isLastEffect = !STEPS.some((other) => other.name !== name && isToCome(other, run));
        // The manifest step follows at once and writes the same.
        if (!isLastEffect) {
          ports.checkLease();
          await run.checkpoint.write({ mayBeLost: true, signal: stop });
        }
      }
      change(name, { state: 'succeeded', finishedAt: ports.now(), detail: done.detail });
      end({ state: 'succeeded' });
    } catch (error) {
      const state = stop.aborted ? 'cancelled' : 'failed';
      fail(name, error);
      change(name, { state, finishedAt: ports.now() });
      end({ state });
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };

  const isToCome = (spec: StepSpec, run: Run): boolean => {
    const state = steps.get(spec.name)?.state;
    return (
      spec.name !== 'manifest' && (state === 'running' || (state === 'pending' && spec.skip(run) === null))
    );
  };

  try {
    const checkpoint = await orAborted(openCheckpoint(ports.blobs, job, stop), stop);
    const warn = (warning: Warning) => void warnings.set(`${warning.code} ${warning.message}`, warning);
    const find = (findings: readonly Finding[]) => void found.push(...findings);
    const narrating = (told: NarrationSummary) => {
      narration = told;
    };
    const read = (summary: LessonSummary) => {
      lesson = summary;
    };
    const run: Run = { job, ports, checkpoint, results, warn, find, narrating, read };
    const ends = new Map<StepName, Promise<void>>();
    for (const spec of STEPS) {
      const needed = spec.needs.map((name) => ends.get(name));
      const end = Promise.all(needed).then(() => perform(spec, run));
      end.catch(() => {}); // told by `failure`
      ends.set(spec.name, end);
    }
    await Promise.allSettled(ends.values());
  } catch (error) {
    fail(null, error);
  }
  if (results.manifest) return { kind: 'succeeded', result: result() };
  const told = failure as { step: StepName | null; error: RunError } | null;
  return told ? { kind: 'failed', result: result(), ...told } : { kind: 'stopped', result: result() };
};

const shownProgress = (
  steps: ReadonlyMap<StepName, Step>,
  units: ReadonlyMap<StepName, Progress>,
): Progress | null => {
  const running = STEPS.filter(({ name }) => steps.get(name)?.state === 'running');
  const [heaviest] = running.toSorted((a, b) => b.weight - a.weight);
  return heaviest ? (units.get(heaviest.name) ?? { step: heaviest.name, done: 0, total: 0 }) : null;
};

const artifactsOf = (results: Partial<Results>): Artifact[] => {
  const page = results['add-audio'] ?? results.import;
  const audio = results.tts;
  return [
    ...(page
      ? [
          {
            kind: 'page' as const,
            key: page.key,
            url: page.url,
            contentType: page.contentType,
            bytes: page.bytes,
            sha256: page.sha256,
          },
        ]
      : []),
    ...(audio
      ? [
          {
            kind: 'audio' as const,
            key: audio.key,
            url: null,
            contentType: audio.contentType,
            bytes: audio.bytes,
            sha256: audio.sha256,
          },
          {
            kind: 'transcript' as const,
            ...audio.transcript,
            url: null,
            contentType: TRANSCRIPT_TYPE,
          },
        ]
      : []),
    ...(results.manifest ? [results.manifest] : []),
  ];
};
