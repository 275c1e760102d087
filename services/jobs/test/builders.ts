import { randomBytes } from 'node:crypto';
import { v7 } from 'uuid';
import { type JobId, type JobRecord, type NewJob, newRecord, type OwnerId } from '../src/domain/job.ts';

export const now = new Date('2026-03-01T08:00:00.000Z');
export const ana = 'ana' as OwnerId;

export const newJobId = (): JobId => v7() as JobId;

/** Valid by default; a spec names only what matters. */
export const aNewJob = (over: Partial<NewJob> = {}): NewJob => ({
  id: newJobId(),
  ownerId: ana,
  spec: {
    md: 'lesson.md',
    lessonKey: `lessons/ab/${randomBytes(4).toString('hex')}.md`,
    preset: null,
    withTts: false,
    upload: null,
    voiceId: null,
    voiceAccent: null,
    forceTts: null,
    notionDatabase: null,
    mode: null,
  },
  priority: 'normal',
  parentJobId: null,
  batchId: null,
  runAt: null,
  ...over,
});

export const aJob = (over: Partial<JobRecord> = {}): JobRecord => ({ ...newRecord(aNewJob(), now), ...over });
