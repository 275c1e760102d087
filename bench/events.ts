import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { startSystem } from '../e2e/system.ts';
import { sample } from '../services/worker/test/lessons.ts';
import { cpuMs, type Figure, load, percentile, systemClient } from './measure.ts';

const VIEWERS = 2_000;
const EVENTS = 100;

/** Opens an event stream; `onFrames` gets the raw text as it comes. */
const open = async (
  url: string,
  onFrames: (text: string) => void,
  headers: Record<string, string> = {},
): Promise<IncomingMessage> => {
  const request = get(url, { agent: false, headers });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response
    .setEncoding('utf8')
    .on('data', onFrames)
    .on('error', () => {});
  return response;
};

/** From the 202 in the client's hands to the `job_created` frame at a connected client. */
const benchLatency = async (): Promise<Figure> => {
  const system = await startSystem({ without: ['worker'], env: { LOG_LEVEL: 'error' } });
  try {
    const md = await system.putLesson('small.md', await sample('morning-at-the-harbour'));
    const http = await systemClient(system, 4);
    const seenAt = new Map<string, number>();
    const response = await open(
      `${system.gateway}/jobs/events?jobId=*`,
      (text) => {
        for (const [, id] of text.matchAll(/"jobId":"([0-9a-f-]{36})"/g))
          if (id && !seenAt.has(id)) seenAt.set(id, performance.now());
      },
      await system.account?.headers(),
    );
    const acceptedAt = new Map<string, number>();
    const submit = async () => void acceptedAt.set(await http.submit({ md }), performance.now());
    await load(200, 4, submit);
    acceptedAt.clear();
    const { durations } = await load(1_000, 4, submit);
    while ([...acceptedAt.keys()].some((id) => !seenAt.has(id)))
      await new Promise((resolve) => setTimeout(resolve, 20));
    const late = [...acceptedAt].map(([id, at]) => Math.max((seenAt.get(id) ?? 0) - at, 0));
    response.destroy();
    http.close();
    const [frame, accepted] = [percentile(late, 0.99), percentile(durations, 0.99)];
    return {
      what: 'p99 from 202 to its job_created frame',
      value: `${frame.toFixed(1)} ms, ${(frame / accepted).toFixed(2)} × the p99 of the 202 (${accepted.toFixed(1)} ms)`,
      target: '≤ 3 ×',
      met: frame <= 3 * accepted,
    };
  } finally {
    await system.stop();
  }
};

/** Connects all viewers, lets `produce` cause events, and answers the server's CPU ms per delivered event. */
const cpuPerDelivery = async (
  url: string,
  pid: number,
  produce: () => Promise<number>,
  headers: Record<string, string> = {},
): Promise<number> => {
  let delivered = 0;
  const responses: IncomingMessage[] = [];
  for (let at = 0; at < VIEWERS; at += 100) {
    const batch = Array.from({ length: 100 }, () =>
      open(url, (text) => (delivered += text.split('\nid: ').length - 1), headers),
    );
    responses.push(...(await Promise.all(batch)));
  }
  const before = cpuMs(pid);
  const events = await produce();
  const deadline = Date.now() + 120_000;
  while (delivered < events * VIEWERS && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 50));
  const used = cpuMs(pid) - before;
  for (const response of responses) response.destroy();
  if (delivered < events * VIEWERS)
    throw new Error(`only ${delivered} of ${events * VIEWERS} events were delivered`);
  return used / delivered;
};

const benchFanOut = async (): Promise<Figure> => {
  const system = await startSystem({ without: ['worker'], env: { LOG_LEVEL: 'error' } });
  let bare: ChildProcess | null = null;
  try {
    const md = await system.putLesson('small.md', await sample('morning-at-the-harbour'));
    const http = await systemClient(system, 1);
    const pid = system.stack.info().gateway.pid;
    let frame = '';
    const headers = await system.account?.headers();
    const probe = await open(`${system.gateway}/jobs/events?jobId=*`, (text) => (frame += text), headers);
    await http.submit({ md });
    while (!frame.includes('event: ')) await new Promise((resolve) => setTimeout(resolve, 10));
    probe.destroy();
    const submitAll = async () => {
      for (let index = 0; index < EVENTS; index += 1) await http.submit({ md });
      return EVENTS;
    };
    const ours = await cpuPerDelivery(`${system.gateway}/jobs/events?jobId=*`, pid, submitAll, headers);
    http.close();

    bare = fork(new URL('./bare-sse-server.ts', import.meta.url), [frame.slice(frame.indexOf('event: '))]);
    const [url] = (await once(bare, 'message')) as [string];
    const server = bare;
    const theirs = await cpuPerDelivery(url, server.pid ?? 0, async () => {
      server.send(EVENTS);
      return EVENTS;
    });
    return {
      what: `gateway CPU per delivered event, ${VIEWERS} connections, all delivered`,
      value: `${(ours * 1_000).toFixed(0)} µs, ${(ours / theirs).toFixed(2)} × bare node:http (${(theirs * 1_000).toFixed(0)} µs)`,
      target: '≤ 2 ×',
      met: ours <= 2 * theirs,
    };
  } finally {
    bare?.kill();
    await system.stop();
  }
};

export const benchEvents = async (): Promise<Figure[]> => [await benchLatency(), await benchFanOut()];
