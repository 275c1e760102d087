/**
 * `npm run cluster-check`: the system on the cluster of the current kubeconfig context, as its users meet it. A lesson
 * goes through the gateway's Service; then every Deployment is restarted, one after another and all at once, under
 * twenty requests a second and with event streams open. No request may fail and no event be lost.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { followEvents, type StreamEvent } from '@esl/local/event-stream';
import { faultsOf, recordEvents } from './event-log.ts';
import { type GatewayClient, openGateway } from './gateway-client.ts';
import { deploymentsOf, kubectl, restartsOf, roll } from './kubectl.ts';

const REQUESTS_PER_S = 20;
const SUBMISSIONS_PER_S = 2;
const WATCHERS = 10;
const LESSON = fileURLToPath(new URL('../../docs/lessons/the-lost-parcel.md', import.meta.url));
const FINISH_MS = 120_000;
const READY_S = 300;

const { values } = parseArgs({
  options: {
    namespace: { type: 'string', default: 'esl' },
    /** Where this machine reaches the gateway's Service: an ingress, a load balancer, a node port. */
    url: { type: 'string' },
  },
});
const { namespace } = values;

const began = Date.now();
const seconds = (since: number) => ((Date.now() - since) / 1_000).toFixed(1);
const say = (text: string) => console.log(`${seconds(began).padStart(6)} s  ${text}`);

const serviceUrl = async (): Promise<string> => {
  const spec = '{.spec.clusterIP}:{.spec.ports[0].port}';
  return `http://${await kubectl('-n', namespace, 'get', 'service', 'gateway', '-o', `jsonpath=${spec}`)}`;
};

const untilFinal = async (client: GatewayClient, jobId: string): Promise<string> => {
  const deadline = Date.now() + FINISH_MS;
  for (;;) {
    const { state, finishedAt } = await client.job(jobId);
    if (finishedAt) return state;
    if (Date.now() > deadline) throw new Error(`job ${jobId} is still ${state}`);
    await delay(250);
  }
};

/** Sends requests at a steady rate, whatever becomes of them, until the signal fires. */
const steadyLoad = async (client: GatewayClient, md: string, failures: string[], signal: AbortSignal) => {
  const jobIds: string[] = [];
  const tookMs: number[] = [];
  const underWay = new Set<Promise<void>>();
  const one = async (turn: number) => {
    const sentAt = performance.now();
    try {
      const jobId = jobIds.at(-1);
      if (turn % (REQUESTS_PER_S / SUBMISSIONS_PER_S) === 0) {
        const { jobId: made } = (await client.request('POST', '/jobs', { md })) as { jobId: string };
        jobIds.push(made);
      } else if (turn % 5 === 1) await client.request('GET', '/config/job-options');
      else await client.request('GET', jobId ? `/jobs/${jobId}` : '/jobs?limit=5');
    } catch (error) {
      const { message, cause } = error as Error;
      failures.push(
        `${new Date().toISOString()} ${message}${cause ? ` (${String((cause as Error).message)})` : ''}`,
      );
    }
    tookMs.push(performance.now() - sentAt);
  };
  const startedAt = performance.now();
  for (let turn = 0; !signal.aborted; turn += 1) {
    const sending = one(turn).finally(() => underWay.delete(sending));
    underWay.add(sending);
    const nextAt = startedAt + ((turn + 1) * 1_000) / REQUESTS_PER_S;
    await delay(Math.max(0, nextAt - performance.now()));
  }
  await Promise.all(underWay);
  return { jobIds, tookMs: tookMs.sort((a, b) => a - b) };
};

/** Everything that the stream still holds after an event, read in one go. */
const replayAfter = async (url: string, id: string, upTo: string): Promise<readonly StreamEvent[]> => {
  const done = new AbortController();
  const events: StreamEvent[] = [];
  const signal = AbortSignal.any([done.signal, AbortSignal.timeout(FINISH_MS)]);
  for await (const event of followEvents(`${url}&lastEventId=${id}`, signal)) {
    events.push(event);
    if (event.id === upTo) done.abort();
  }
  return events;
};

const deployments = await deploymentsOf(namespace);
await kubectl(
  '-n',
  namespace,
  'wait',
  '--for=condition=Available',
  'deployment',
  '--all',
  `--timeout=${READY_S}s`,
);
const url = values.url ?? (await serviceUrl());
const client = await openGateway(url);
const md = await client.upload(LESSON);

const lessonBegan = Date.now();
const { jobId: first } = (await client.request('POST', '/jobs', { md, withTts: true })) as { jobId: string };
const end = await untilFinal(client, first);
say(`a narrated lesson through ${url}: ${end} after ${seconds(lessonBegan)} s`);
if (end !== 'succeeded') process.exit(1);

const restartsBefore = await restartsOf(namespace);
const watching = new AbortController();
const watchers = Array.from({ length: WATCHERS }, () => recordEvents(client.eventsUrl, watching.signal));
while (watchers.some(({ connects }) => connects() === 0)) await delay(50);
const loading = new AbortController();
const failures: string[] = [];
const load = steadyLoad(client, md, failures, loading.signal);
const rollAndSay = async (names: readonly string[], what: string) => {
  const rollBegan = Date.now();
  const failedBefore = failures.length;
  await roll(namespace, names);
  say(`rolled ${what} in ${seconds(rollBegan)} s, ${failures.length - failedBefore} requests failed`);
};
for (const name of deployments) await rollAndSay([name], name);
await rollAndSay(deployments, 'all at once');
loading.abort();
const { jobIds, tookMs } = await load;
const unfinished: string[] = [];
for (const jobId of jobIds) {
  const state = await untilFinal(client, jobId).catch(({ message }: Error) => message);
  if (state !== 'succeeded') unfinished.push(`${jobId}: ${state}`);
}

const [reference] = watchers;
const firstId = reference?.events[0]?.id ?? '';
const deadline = Date.now() + FINISH_MS;
const faults = () =>
  watchers.flatMap((log, index) => faultsOf(log, jobIds, []).map((fault) => `watcher ${index}: ${fault}`));
while (faults().length > 0 && Date.now() < deadline) await delay(500);
const replayed = await replayAfter(client.eventsUrl, firstId, reference?.events.at(-1)?.id ?? '');
watching.abort();
const lost = watchers.flatMap((log, index) =>
  faultsOf(
    log,
    jobIds,
    replayed.filter(({ name }) => name !== 'job_progress'),
  ).map((fault) => `watcher ${index}: ${fault}`),
);
const restarts = (await restartsOf(namespace)) - restartsBefore;

const at = (share: number) => `${Math.round(tookMs[Math.floor(tookMs.length * share)] ?? 0)} ms`;
say(
  `${tookMs.length} requests, ${failures.length} failed; median ${at(0.5)}, p99 ${at(0.99)}, slowest ${at(0.9999)}`,
);
say(`${jobIds.length} jobs, ${unfinished.length} did not succeed`);
say(
  `${WATCHERS} event streams, ${watchers.reduce((sum, { events }) => sum + events.length, 0)} events, ` +
    `${watchers.reduce((sum, { connects }) => sum + connects() - 1, 0)} reconnects, ${lost.length} faults`,
);
if (restarts > 0) say(`${restarts} containers were restarted by a fault`);
for (const line of [...failures, ...unfinished, ...lost].slice(0, 40)) console.log(line);
process.exit(failures.length + lost.length + unfinished.length > 0 ? 1 : 0);
