import type { BlobLink, BlobStore } from '@esl/kit/blob-store';
import type { Finding } from '../lesson/findings.ts';
import type { Lesson } from '../lesson/lesson.ts';
import type { CastEntry, CastingMode } from '../narration/casting.ts';
import type { NarratorChoice } from '../narration/choose-narrator.ts';
import type { Page, Publisher } from '../publisher/publisher.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { Catalog, Settings } from './settings.ts';

/** What the caller asked for; null where nothing was said. */
export type JobSpec = {
  readonly lessonKey: string;
  readonly preset: string | null;
  readonly withTts: boolean;
  readonly upload: string | null;
  readonly voiceId: string | null;
  readonly voiceAccent: string | null;
  readonly forceTts: boolean;
  readonly notionDatabase: string | null;
  readonly mode: string | null;
};

export type RunJob = {
  readonly id: string;
  /** 1 for the first run of the job. */
  readonly attempt: number;
  readonly ownerId: string;
  /** The job whose results this one starts from. */
  readonly parentJobId: string | null;
  readonly spec: JobSpec;
};

/** What the front matter says, once it has been read. */
export type LessonSummary = {
  readonly title: string;
  readonly student: string;
  readonly level: string;
  readonly topic: string;
};

/** Something the user should know that does not stop the job. */
export type Warning = { readonly code: string; readonly message: string };

export type Artifact = {
  readonly kind: 'page' | 'audio' | 'manifest' | 'transcript';
  readonly key: string | null;
  readonly url: string | null;
  readonly contentType: string;
  readonly bytes: number;
  readonly sha256: string;
};

export type StepName = 'validate' | 'import' | 'tts' | 'upload' | 'add-audio' | 'manifest';
export type StepState = 'pending' | 'running' | 'succeeded' | 'skipped' | 'failed' | 'cancelled';

export type Step = {
  readonly name: StepName;
  readonly state: StepState;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  /** What it did, or why it was skipped, in a few words. */
  readonly detail: string | null;
};

export type Progress = { readonly step: StepName; readonly done: number; readonly total: number };

export type RunResult = {
  readonly steps: readonly Step[];
  readonly warnings: readonly Warning[];
  readonly findings: readonly Finding[];
  readonly artifacts: readonly Artifact[];
  readonly narration: NarrationSummary | null;
  readonly lesson: LessonSummary | null;
};

/** What the user learns of a narration, from the moment its voices are cast. */
export type NarrationSummary = {
  readonly engine: string;
  readonly mode: CastingMode;
  /** Code points of all segments. */
  readonly characters: number;
  /** Code points that a paid provider counted for this job, over all attempts so far. */
  readonly billedCharacters: number;
  /** 0 until it is done. */
  readonly durationMs: number;
  readonly cast: readonly CastEntry[];
};

/** Who narrates the jobs of an owner. */
export type NarratorFor = (
  owner: { readonly ownerId: string; readonly ttsProvider: string | null },
  signal: AbortSignal,
) => Promise<NarratorChoice>;

/** Where the jobs of an owner become pages. */
export type PublisherFor = (ownerId: string, signal: AbortSignal) => Promise<Publisher>;

/** What every run of this worker stands on. */
export type SharedPorts = Omit<Ports, 'publisher' | 'checkLease'> & { readonly publisherFor: PublisherFor };

/** What the pipeline stands on, for one run. */
export type Ports = {
  readonly blobs: BlobStore;
  readonly catalog: Catalog;
  readonly publisher: Publisher;
  readonly narratorFor: NarratorFor;
  readonly now: () => Date;
  /** Throws when the run is no longer ours. Asked before each effect outside. */
  readonly checkLease: () => void;
};

export type Audio = {
  readonly key: string;
  readonly contentType: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly durationMs: number;
  readonly mode: CastingMode;
  readonly segments: number;
  readonly voices: readonly CastEntry[];
  readonly engine: string;
  readonly characters: number;
  /** What speaking it cost, and the job that was billed for it. */
  readonly bill: { readonly jobId: string; readonly characters: number };
  readonly transcript: { readonly key: string; readonly bytes: number; readonly sha256: string };
};

/** What each step hands to those after it. */
export type Results = {
  readonly validate: { readonly lesson: Lesson; readonly mdHash: string; readonly settings: Settings };
  readonly import: Page;
  readonly tts: Audio;
  readonly upload: { readonly key: string; readonly link: BlobLink | null };
  readonly 'add-audio': Page;
  readonly manifest: Artifact;
};

/** One run under way, as its steps see it. */
export type Run = {
  readonly job: RunJob;
  readonly ports: Ports;
  readonly checkpoint: Checkpoint;
  readonly results: { -readonly [K in keyof Results]?: Results[K] };
  readonly warn: (warning: Warning) => void;
  readonly find: (findings: readonly Finding[]) => void;
  /** Tells what is known of the narration by now. */
  readonly narrating: (narration: NarrationSummary) => void;
  /** Says what the front matter says, also when the lesson cannot be run. */
  readonly read: (lesson: LessonSummary) => void;
};

export type StepTools = {
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
};

export type StepResult<T> = {
  readonly output: T;
  readonly detail: string;
  /** Set by a step with an effect outside: while it stays the same, a later attempt repeats nothing. */
  readonly inputHash?: string;
};

export type StepSpec<N extends StepName = StepName> = {
  readonly name: N;
  readonly needs: readonly StepName[];
  /** Share of a usual run's time: of the steps that run at once, the heaviest is the one whose progress is shown. */
  readonly weight: number;
  readonly timeoutMs: number;
  /** Why there is nothing to do; null when there is. Asked when all it needs has ended. */
  readonly skip: (run: Run) => string | null;
  readonly run: (run: Run, tools: StepTools) => Promise<StepResult<Results[N]>>;
};

/** The result of a step that has succeeded before, as the list of steps guarantees. */
export const need = <N extends StepName>(run: Run, name: N): Results[N] => {
  const result = run.results[name];
  if (result === undefined) throw new Error(`the step ${name} has no result yet`);
  return result as Results[N];
};
