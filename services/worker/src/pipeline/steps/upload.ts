import { need, type Run, type StepSpec } from '../run.ts';

/** `none` keeps the audio for download, under the job's artifacts, and off the page. */
export const skipUpload = ({ job, results }: Run): string | null => {
  if (!results.tts) return 'there is no audio';
  return job.spec.upload === 'none' ? 'the audio is kept for download, and not put on the page' : null;
};

/** The narration already lies in the blob store, which is where `auto` wants it. */
export const upload: StepSpec<'upload'>['run'] = async (run) => {
  const { key } = need(run, 'tts');
  if (run.job.spec.upload === 's3') {
    run.warn({
      code: 'upload_store_local',
      message: 'The audio is stored here, because no S3 bucket is connected.',
    });
  }
  return { output: { key }, detail: 'stored here' };
};
