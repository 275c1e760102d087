import { ack, retry, type Verdict } from '@esl/kit/delivery';
import { Refused } from '@esl/kit/grpc-client';
import type { Log } from '@esl/kit/log';
import { JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { lessonIdOf, MANIFEST_TYPE, pageOf, readManifest, writeManifest } from '../pipeline/checkpoint.ts';
import { soundOnPage } from '../pipeline/page-sound.ts';
import { asShown, readPageState, writePageState } from '../pipeline/page-state.ts';
import { readLesson } from '../pipeline/read-lesson.ts';
import type { Artifact, SharedPorts, Warning } from '../pipeline/run.ts';
import { toRunError } from '../pipeline/run-error.ts';
import { importHash } from '../pipeline/steps/import-page.ts';
import { specFromWire } from '../wire.ts';
import type { JobsClient, RunReports, WireJob } from './needs.ts';

/** Less than the message's ack wait, so that two workers never refresh one page at once. */
const REFRESH_MS = 20_000;
const ASK_AGAIN_MS = 2_000;

type Needs = {
  readonly jobs: Pick<JobsClient, 'getJob'>;
  readonly reports: Pick<RunReports, 'refreshed'>;
  readonly ports: SharedPorts;
  readonly log: Log;
};

type Changes = { readonly artifacts: readonly Artifact[]; readonly warnings: readonly Warning[] };

const nothing: Changes = { artifacts: [], warnings: [] };

/** Page and manifest as the job's metadata want them now. A job that has yet to run needs none: its run will do it. */
const refresh = async (job: WireJob, shared: SharedPorts, signal: AbortSignal): Promise<Changes> => {
  const ports = { ...shared, publisher: await shared.publisherFor(job.ownerId, signal) };
  const hasEnded = job.state !== JobState.QUEUED && job.state !== JobState.RUNNING;
  const manifest = hasEnded ? await readManifest(ports.blobs, job.id, signal) : null;
  if (!manifest) return nothing;
  const lessonId = lessonIdOf(manifest, { id: job.id, parentJobId: job.parentJobId ?? null });
  const state = await readPageState(ports.blobs, lessonId, signal);
  const shown = asShown(manifest, state);
  const previous = pageOf(shown);
  if (!previous) return nothing;
  const { lessonKey, preset, voiceAccent, notionDatabase, mode } = specFromWire(job.spec);
  const { lesson, mdHash } = await readLesson(ports.blobs, lessonKey, signal);
  if (!lesson) return nothing;
  const { student } = lesson.meta;
  const wish = { student, preset, voiceAccent, notionDatabase, mode, ownerId: job.ownerId };
  const settings = await ports.catalog.resolve(wish, signal);

  const warnings: Warning[] = [];
  const page = await ports.publisher.publish(
    {
      lessonId,
      previous,
      isRepeat: true,
      lesson,
      colours: settings.preset?.colours ?? {},
      database: settings.notionDatabase,
      warn: (warning) => warnings.push(warning),
    },
    await soundOnPage(shown, ports.blobs, signal),
    signal,
  );
  const imported = { inputHash: importHash(ports, { mdHash, settings }), output: page };
  if (state) {
    const now = { steps: { import: imported }, ...(shown.audio && { audio: shown.audio }) };
    await writePageState(ports.blobs, lessonId, now, signal);
  }
  const written = await writeManifest(
    ports.blobs,
    job.id,
    {
      ...manifest,
      timestamp: ports.now().toISOString(),
      preset: settings.preset?.name ?? null,
      database: settings.notionDatabase,
      publisher: page.publisher,
      pageId: page.id,
      ...(page.url && { pageUrl: page.url }),
      steps: { ...manifest.steps, import: imported },
    },
    { mayBeLost: false, signal },
  );
  const { key, url, contentType, bytes, sha256 } = page;
  return {
    artifacts: [
      { kind: 'page', key, url, contentType, bytes, sha256 },
      { kind: 'manifest', url: null, contentType: MANIFEST_TYPE, ...written },
    ],
    warnings,
  };
};

/** Has page and manifest of a finished job follow its metadata. Repeating it changes nothing. */
export const refreshJob =
  ({ jobs, reports, ports, log }: Needs) =>
  async (jobId: string): Promise<Verdict> => {
    const signal = AbortSignal.timeout(REFRESH_MS);
    try {
      const { job } = await jobs.getJob(
        { scope: { reach: { case: 'everyone', value: true } }, jobId },
        signal,
      );
      if (!job) return ack;
      const changes = await refresh(job, ports, signal).catch((error: unknown): Changes => {
        const { code, message, retryable } = toRunError(error);
        if (retryable) throw error;
        return { artifacts: [], warnings: [{ code, message }] };
      });
      await reports.refreshed({ jobId, version: job.version }, changes, signal);
      return ack;
    } catch (error) {
      if (error instanceof Refused) return ack;
      log.warn({ err: error, jobId }, 'a job is not refreshed yet');
      return retry(Math.max(ASK_AGAIN_MS, toRunError(error).retryAfterMs));
    }
  };
