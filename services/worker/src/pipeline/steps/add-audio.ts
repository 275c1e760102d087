import { pageSchema } from '../../publisher/publisher.ts';
import { hashOf } from '../checkpoint.ts';
import { need, type Run, type StepSpec } from '../run.ts';
import { RunError } from '../run-error.ts';

export const skipAddAudio = ({ results }: Run): string | null =>
  results.upload ? null : 'there is no audio to put on the page';

/** Has the page play the narration, in place of what it played before. */
export const addAudio: StepSpec<'add-audio'>['run'] = async (run, { signal }) => {
  const { job, ports, checkpoint } = run;
  const { lesson, settings } = need(run, 'validate');
  const page = need(run, 'import');
  const audio = need(run, 'tts');
  const { key } = need(run, 'upload');

  const imported = checkpoint.manifest().steps.import?.inputHash ?? '';
  const inputHash = hashOf({ imported, audio: audio.sha256 });
  const kept = checkpoint.kept('add-audio', inputHash, pageSchema);
  if (kept && (await ports.publisher.exists(kept.id, signal)))
    return { output: kept, detail: 'the page plays it already', inputHash };

  const mp3 = await ports.blobs.get(key, signal);
  if (!mp3) throw new RunError('audio_missing', 'The narration is no longer stored.', { retryable: true });
  ports.checkLease();
  const request = {
    jobId: job.id,
    pageId: page.id,
    lesson,
    colours: settings.preset?.colours ?? {},
    database: settings.notionDatabase,
  };
  const sound = { mp3, durationMs: audio.durationMs, cast: audio.voices };
  const output = await ports.publisher.publish(request, sound, signal);
  checkpoint.record('import', imported, output);
  return { output, detail: 'the page plays the narration', inputHash };
};
