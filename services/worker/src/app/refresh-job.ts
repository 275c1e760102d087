import type { Log } from '@esl/kit/log';
import { MANIFEST_TYPE, readManifest, writeManifest } from '../pipeline/checkpoint.ts';
import { soundOnPage } from '../pipeline/page-sound.ts';
import { readLesson } from '../pipeline/read-lesson.ts';
import type { Artifact, Ports, Warning } from '../pipeline/run.ts';
import { type RunError, toRunError } from '../pipeline/run-error.ts';
import { importHash } from '../pipeline/steps/import-page.ts';
import { specFromWire } from '../wire.ts';
import type { JobsClient, RunReports, WireJob } from './needs.ts';

type Needs = {
  readonly jobs: Pick<JobsClient, 'getJob'>;
  readonly reports: Pick<RunReports, 'refreshed'>;
  readonly ports: Omit<Ports, 'checkLease'>;
  readonly log: Log;
};
