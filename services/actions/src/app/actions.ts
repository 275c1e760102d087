import { accept, type Outcome } from '@esl/kit/outcome';
import {
  cancelSchema,
  editMetadataSchema,
  type JobActionType,
  rerunAudioSchema,
} from '@esl-pipeline/contracts/http/job-actions';
import { type Action, type ActionRefusal, type Done, defineAction, invalidState } from '../domain/action.ts';
import type { Aim, Catalog, Change, Jobs } from './needs.ts';

type Needs = { readonly jobs: Jobs; readonly catalog: Catalog };

const answer = (change: Change, action: JobActionType, done: Done): Outcome<Done, ActionRefusal> => {
  if ('blockedBy' in change) return invalidState(action, change.blockedBy);
  return change.ok ? accept(done) : change;
};

const rerunAudio = ({ jobs }: Pick<Needs, 'jobs'>): Action<Aim> =>
  defineAction({
    type: 'rerun_audio',
    label: 'Rerun audio',
    description:
      'Narrates the lesson again in a new job, with another voice or accent if you choose one, and replaces the audio ' +
      'on its page. Lines already spoken by the same voice are reused unless forceTts is set.',
    requiresFields: [],
    allowedIn: ['succeeded'],
    payload: rerunAudioSchema,
    run: async ({ job, spec: before, newJobId }, { voiceId, voiceAccent, forceTts = false }, signal) => {
      const spec = {
        ...before,
        withTts: true,
        forceTts,
        ...(voiceId !== undefined && { voiceId }),
        ...(voiceAccent !== undefined && { voiceAccent }),
      };
      const { ownerId, priority, id: parentJobId } = job;
      await jobs.create({ id: newJobId, ownerId, priority, parentJobId, spec }, signal);
      return accept({ message: 'A new job narrates the lesson again.', newJobId });
    },
  });

const cancel = ({ jobs }: Pick<Needs, 'jobs'>): Action<Aim> =>
  defineAction({
    type: 'cancel',
    label: 'Cancel job',
    description: 'Stops a queued or running job for good.',
    requiresFields: [],
    allowedIn: ['queued', 'running'],
    payload: cancelSchema,
    run: async (target, { reason }, signal) =>
      answer(await jobs.cancel(target, reason?.trim() || null, signal), 'cancel', {
        message: 'The job is cancelled.',
      }),
  });

const editMetadata = ({ jobs, catalog }: Needs): Action<Aim> =>
  defineAction({
    type: 'edit_metadata',
    label: 'Edit metadata',
    description:
      'Changes the preset or the Notion database of a job; its page and manifest follow without a new run.',
    requiresFields: [],
    allowedIn: ['queued', 'succeeded', 'failed', 'cancelled'],
    payload: editMetadataSchema,
    refuses: ({ preset, notionDatabase }) =>
      preset === undefined && notionDatabase === undefined
        ? { code: 'empty_edit', message: 'An edit needs a preset or a Notion database.' }
        : null,
    run: async (target, { preset = null, notionDatabase = null }, signal) => {
      const fields = { preset, notionDatabase };
      const checked = await catalog.check(target.job.ownerId, fields, signal);
      if (!checked.ok) return checked;
      return answer(await jobs.edit(target, fields, signal), 'edit_metadata', {
        message: 'The job’s settings are changed.',
      });
    },
  });

/** Every action, in the order a UI shows them. */
export const allActions = (needs: Needs): readonly Action<Aim>[] => [
  rerunAudio(needs),
  cancel(needs),
  editMetadata(needs),
];
