import type { StepSpec } from './run.ts';
import { addAudio, skipAddAudio } from './steps/add-audio.ts';
import { importPage } from './steps/import-page.ts';
import { narrate } from './steps/narrate.ts';
import { skipUpload, upload } from './steps/upload.ts';
import { validate } from './steps/validate.ts';
import { writeManifest } from './steps/write-manifest.ts';

const never = () => null;

/** The pipeline, in order: what a step needs stands before it. Steps that need nothing of each other overlap. */
export const STEPS = [
  { name: 'validate', needs: [], weight: 1, timeoutMs: 30_000, skip: never, run: validate },
  { name: 'import', needs: ['validate'], weight: 10, timeoutMs: 300_000, skip: never, run: importPage },
  {
    name: 'tts',
    needs: ['validate'],
    weight: 100,
    timeoutMs: 1_800_000,
    skip: ({ job }) => (job.spec.withTts ? null : 'narration was not asked for'),
    run: narrate,
  },
  { name: 'upload', needs: ['tts'], weight: 5, timeoutMs: 300_000, skip: skipUpload, run: upload },
  {
    name: 'add-audio',
    needs: ['import', 'upload'],
    weight: 5,
    timeoutMs: 120_000,
    skip: skipAddAudio,
    run: addAudio,
  },
  {
    name: 'manifest',
    needs: ['add-audio'],
    weight: 1,
    timeoutMs: 30_000,
    skip: never,
    run: writeManifest,
  },
] as const satisfies readonly StepSpec[];
