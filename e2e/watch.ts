import type { LocalAccount } from '@esl/local/account';
import { followEvents, type StreamEvent } from '@esl/local/event-stream';
import { type Job, type JobEvent, jobEventSchema } from '@esl-pipeline/contracts';

/** A client that watches all jobs and reconnects with Last-Event-ID, as an EventSource does. */
export const watchJobs = (gateway: string, account: LocalAccount | null) => {
  const stop = new AbortController();
  const seen: StreamEvent[] = [];
  let connections = 0;
  const connected = Promise.withResolvers<void>();
  const onConnect = () => {
    connections += 1;
    connected.resolve();
  };
  const follow = async () => {
    const url = `${gateway}/jobs/events?jobId=*`;
    for await (const event of followEvents(url, stop.signal, onConnect, account?.headers)) seen.push(event);
  };
  const following = follow();

  const eventsOf = (jobId: string): JobEvent[] =>
    seen.flatMap(({ name, data }) =>
      name !== 'resync' && (data as { jobId: string }).jobId === jobId ? [jobEventSchema.parse(data)] : [],
    );

  return {
    connected: connected.promise,
    seen,
    connections: () => connections,
    resyncs: () => seen.filter(({ name }) => name === 'resync').length,
    eventsOf,
    /** The moves of a job as this client saw them. */
    movesOf: (jobId: string) =>
      eventsOf(jobId)
        .filter(({ type }) => type === 'job_created' || type === 'job_state_changed')
        .map(({ state }) => state),
    stop: async () => {
      stop.abort();
      await following;
    },
  };
};

export const gatewayClient = (
  url: string,
  account: LocalAccount | null,
  references: ReadonlyMap<string, string>,
) => {
  const json = async (path: string, init: RequestInit = {}) => {
    const headers = {
      ...(await account?.headers()),
      ...(init.headers as Record<string, string> | undefined),
    };
    const response = await fetch(`${url}${path}`, { ...init, headers, signal: AbortSignal.timeout(15_000) });
    return { status: response.status, headers: response.headers, body: (await response.json()) as never };
  };
  const post = (path: string, body: unknown) =>
    json(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  return {
    get: json,
    post,
    submit: async (wish: { readonly md: string; readonly [option: string]: unknown }): Promise<string> => {
      const body = { ...wish, md: references.get(wish.md) ?? wish.md };
      const { status, body: answer } = await post('/jobs', body);
      if (status !== 202) throw new Error(`POST /jobs answered ${status}: ${JSON.stringify(answer)}`);
      return (answer as { jobId: string }).jobId;
    },
    job: async (jobId: string): Promise<Job> => (await json(`/jobs/${jobId}`)).body as Job,
  };
};
