import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import * as pb from '../gen/esl/jobs/v1/jobs_service_pb.ts';
import type { ATTEMPT_OUTCOMES, TimelineEntry } from './job-control.ts';
import { JOB_STATE_WORD, STEP_STATE_WORD } from './job-words.ts';

const time = (at: Timestamp): string => timestampDate(at).toISOString();

const OUTCOME_WORD: Readonly<Record<number, (typeof ATTEMPT_OUTCOMES)[number]>> = {
  [pb.AttemptEntry_Outcome.STARTED]: 'started',
  [pb.AttemptEntry_Outcome.FAILED]: 'failed',
  [pb.AttemptEntry_Outcome.RELEASED]: 'released',
  [pb.AttemptEntry_Outcome.SUCCEEDED]: 'succeeded',
  [pb.AttemptEntry_Outcome.CANCELLED]: 'cancelled',
};

const attemptOf = ({ attempt, outcome, failure, retryAt }: pb.AttemptEntry) => {
  const word = OUTCOME_WORD[outcome];
  if (!word) return null;
  const { code, message, step } = failure ?? {};
  return {
    kind: 'attempt',
    attempt,
    outcome: word,
    failure: code === undefined ? null : { code, message: message ?? '', step: step ?? null },
    retryAt: retryAt ? time(retryAt) : null,
  } as const;
};

/** An entry as clients see it; null for a kind of entry that is not known here, such as one of a newer release. */
export const timelineEntryDto = ({ at, entry }: pb.TimelineEntry): TimelineEntry | null => {
  if (!at) return null;
  const when = time(at);
  switch (entry.case) {
    case 'state': {
      const state = JOB_STATE_WORD[entry.value.state];
      return state
        ? { kind: 'state', at: when, state, from: JOB_STATE_WORD[entry.value.from] ?? null }
        : null;
    }
    case 'step': {
      const { name: step, attempt, detail } = entry.value;
      const state = STEP_STATE_WORD[entry.value.state];
      return state ? { kind: 'step', at: when, step, state, attempt, detail: detail ?? null } : null;
    }
    case 'attempt': {
      const attempt = attemptOf(entry.value);
      return attempt && { at: when, ...attempt };
    }
    case 'action': {
      const { type, actor, detail } = entry.value;
      return { kind: 'action', at: when, type, actor, detail: detail ?? null };
    }
    default:
      return null;
  }
};
