import type { StorageProvider } from '@esl/kit/blob-store';
import { need, type Run, type StepSpec } from '../run.ts';

/** `none` keeps the audio for download, under the job's artifacts, and off the page. */
export const skipUpload = ({ job, results }: Run): string | null => {
  if (!results.tts) return 'there is no audio';
  return job.spec.upload === 'none' ? 'the audio is kept for download, and not put on the page' : null;
};

const DETAIL: Readonly<Record<StorageProvider, string>> = { filesystem: 'stored here', s3: 'stored in S3' };

/** The narration lies in the blob store already: what is left is to let readers of the page reach it there. */
export const upload: StepSpec<'upload'>['run'] = async (run, { signal }) => {
  const { job, ports } = run;
  const { key } = need(run, 'tts');
  const provider = ports.blobs.providerOf(key);
  if (job.spec.upload === 's3' && provider !== 's3') {
    run.warn({
      code: 'upload_store_local',
      message: 'The audio is stored here, because no S3 bucket is connected.',
    });
  }
  ports.checkLease();
  const link = await ports.blobs.urlFor(key, signal);
  return { output: { key, link }, detail: DETAIL[provider] };
};
