import { fallsSilent, pageSchema } from '../../publisher/publisher.ts';
import { hashOf, lessonIdOf } from '../checkpoint.ts';
import { writePageState } from '../page-state.ts';
import { need, type Run, type StepSpec, type Warning } from '../run.ts';
import { RunError } from '../run-error.ts';

export const skipAddAudio = ({ results }: Run): string | null =>
  results.upload ? null : 'there is no audio to put on the page';

const expiringLink = (endsAt: string, now: Date): Warning => {
  const hours = Math.max(1, Math.round((Date.parse(endsAt) - now.getTime()) / 3_600_000));
  return {
    code: 'audio_link_expires',
    message: `The page plays the audio from a link that ends in about ${hours} ${hours === 1 ? 'hour' : 'hours'}. Ask whoever runs the system for public links, or run the job again then.`,
  };
};

/** Has the page play the narration, in place of what it played before. */
export const addAudio: StepSpec<'add-audio'>['run'] = async (run, { signal }) => {
  const { job, ports, checkpoint } = run;
  const { lesson, settings } = need(run, 'validate');
  const page = need(run, 'import');
  const audio = need(run, 'tts');
  const { key, link } = need(run, 'upload');

  const imported = checkpoint.manifest().steps.import?.inputHash ?? '';
  const inputHash = hashOf({ imported, audio: audio.sha256 });
  const kept = checkpoint.kept('add-audio', inputHash, pageSchema);
  // The import step has just seen this very page, or has made another.
  if (kept && JSON.stringify(kept) === JSON.stringify(page) && !fallsSilent(kept, ports.now()))
    return { output: kept, detail: 'the page plays it already', inputHash };

  const mp3 = await ports.blobs.get(key, signal);
  if (!mp3) throw new RunError('audio_missing', 'The narration is no longer stored.', { retryable: true });
  ports.checkLease();
  const lessonId = lessonIdOf(checkpoint.manifest(), job);
  const request = {
    lessonId,
    previous: page,
    isRepeat: true,
    lesson,
    colours: settings.preset?.colours ?? {},
    database: settings.notionDatabase,
    warn: run.warn,
  };
  const sound = { sha256: audio.sha256, mp3, link, durationMs: audio.durationMs, cast: audio.voices };
  const output = await ports.publisher.publish(request, sound, signal);
  const endsAt = output.audio?.linkEndsAt;
  if (endsAt) run.warn(expiringLink(endsAt, ports.now()));
  checkpoint.record('import', imported, output);
  if (job.parentJobId) {
    const steps = { import: { inputHash: imported, output }, 'add-audio': { inputHash, output } };
    const { durationMs, voices, sha256: hash } = audio;
    const played = { path: key, hash, durationMs, voices: [...voices], onPage: true };
    await writePageState(ports.blobs, lessonId, { steps, audio: played }, signal);
  }
  return { output, detail: 'the page plays the narration', inputHash };
};
