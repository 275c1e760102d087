import { followEvents, type StreamEvent } from '@esl/local/event-stream';
import type { JobEvent } from '@esl-pipeline/contracts';

export type EventLog = {
  readonly events: readonly StreamEvent[];
  /** How often the stream was opened: one more than it was broken. */
  readonly connects: () => number;
};

/** Follows a stream until the signal fires, as a browser does: after a break it resumes with the last id. */
export const recordEvents = (url: string, signal: AbortSignal): EventLog => {
  const events: StreamEvent[] = [];
  let connects = 0;
  const follow = async () => {
    for await (const event of followEvents(url, signal, () => {
      connects += 1;
    }))
      events.push(event);
  };
  void follow();
  return { events, connects: () => connects };
};

const storyOf = (events: readonly StreamEvent[], jobId: string): readonly string[] =>
  events
    .filter(({ data }) => (data as JobEvent).jobId === jobId)
    .filter(({ name }) => name !== 'job_progress')
    .map(({ name, data }) => (name === 'job_created' ? name : (data as JobEvent).state));

/** A job is created, runs, perhaps again when a worker gave it back, and succeeds; each said once. */
const WHOLE = /^job_created( running( queued running)*)? succeeded$/;

/** What a watcher missed, saw twice or was told out of order; empty when nothing. */
export const faultsOf = (
  { events }: Pick<EventLog, 'events'>,
  jobIds: readonly string[],
  reference: readonly StreamEvent[],
): readonly string[] => {
  const faults: string[] = [];
  const ids = events.map(({ id }) => id);
  if (new Set(ids).size !== ids.length) faults.push(`${ids.length - new Set(ids).size} events came twice`);
  const resyncs = events.filter(({ name }) => name === 'resync').length;
  if (resyncs > 0) faults.push(`${resyncs} times resync`);
  const missing = new Set(reference.map(({ id }) => id)).difference(new Set(ids));
  if (missing.size > 0) faults.push(`${missing.size} events are missing, the first is ${[...missing][0]}`);
  for (const jobId of jobIds) {
    const story = storyOf(events, jobId).join(' ');
    if (!WHOLE.test(story)) faults.push(`${jobId}: ${story || 'nothing'}`);
  }
  return faults;
};
