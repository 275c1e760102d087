import { MANIFEST_TYPE } from '../checkpoint.ts';
import { need, type StepSpec } from '../run.ts';

/** The last word on what this job made. What this run did not set stays as an earlier one left it. */
export const writeManifest: StepSpec<'manifest'>['run'] = async (run, { signal }) => {
  const { job, ports, checkpoint, results } = run;
  const { mdHash, settings } = need(run, 'validate');
  const page = results['add-audio'] ?? need(run, 'import');
  const audio = results.tts;
  checkpoint.update({
    jobId: job.id,
    ...(job.parentJobId && { parentJobId: job.parentJobId }),
    mdHash,
    timestamp: ports.now().toISOString(),
    preset: settings.preset?.name ?? null,
    database: settings.notionDatabase,
    publisher: page.publisher,
    pageId: page.id,
    ...(page.url && { pageUrl: page.url }),
    ...(audio && {
      ttsMode: audio.mode,
      audio: {
        path: audio.key,
        hash: audio.sha256,
        bytes: audio.bytes,
        durationMs: audio.durationMs,
        segments: audio.segments,
        engine: audio.engine,
        characters: audio.characters,
        bill: audio.bill,
        transcript: audio.transcript.key,
        voices: audio.voices,
        onPage: results['add-audio'] !== undefined,
      },
    }),
  });
  ports.checkLease();
  const written = await checkpoint.write({ mayBeLost: false, signal });
  return {
    output: { kind: 'manifest', url: null, contentType: MANIFEST_TYPE, ...written },
    detail: 'written',
  };
};
