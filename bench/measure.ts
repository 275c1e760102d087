import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import type { System } from '../e2e/system.ts';

/** User and system time of a process, in ms (proc(5): fields 14 and 15, in ticks of 10 ms). */
export const cpuMs = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
};

/** Resident memory of a process, in MB. */
export const rssMb = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

export const percentile = (values: readonly number[], p: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(Math.floor(values.length * p), values.length - 1)] ?? 0;

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** Runs `work` `times` times, `concurrency` at a time; answers each one's duration in ms and the rate per second. */
export const load = async (times: number, concurrency: number, work: (index: number) => Promise<unknown>) => {
  const durations: number[] = [];
  let next = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (next < times) {
        const index = next++;
        const begun = performance.now();
        await work(index);
        durations.push(performance.now() - begun);
      }
    }),
  );
  return { perSecond: (times / (performance.now() - started)) * 1_000, durations };
};

/** A keep-alive HTTP client that costs the machine little: fetch would be half of what is measured. */
export const httpClient = (
  origin: string,
  connections: number,
  always: Readonly<Record<string, string>> = {},
) => {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const send = (method: string, path: string, body?: object): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const payload = body ? JSON.stringify(body) : undefined;
      const headers = payload
        ? { ...always, 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }
        : always;
      const sent = request(`${origin}${path}`, { agent, method, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        );
      });
      sent.on('error', reject);
      sent.end(payload);
    });
  return {
    get: (path: string) => send('GET', path),
    post: (path: string, body: object) => send('POST', path, body),
    submit: async (body: object): Promise<string> => {
      const { status, text } = await send('POST', '/jobs', body);
      if (status !== 202) throw new Error(`POST /jobs answered ${status}: ${text}`);
      return (JSON.parse(text) as { jobId: string }).jobId;
    },
    close: () => agent.destroy(),
  };
};

/** The same, as a system's own account. */
export const systemClient = async ({ gateway, account }: System, connections: number) =>
  httpClient(gateway, connections, (await account?.headers()) ?? {});

export type Figure = {
  readonly what: string;
  readonly value: string;
  readonly target: string;
  readonly met: boolean;
};

const columns = ['what', 'value', 'target'] as const;

/** The figures as a Markdown table. */
export const table = (figures: readonly Figure[]): string => {
  const rows = figures.map((figure) => [
    ...columns.map((column) => figure[column]),
    figure.met ? 'met' : 'MISSED',
  ]);
  const all = [[...columns, ''], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(all[0] ?? []), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
};
