import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { inSpan } from '@esl/kit/tracing';
import { type System, startSystem } from '../e2e/system.ts';
import { sample } from '../services/worker/test/lessons.ts';
import { cpuMs, type Figure, load, median, systemClient } from './measure.ts';

const CONNECTIONS = 32;
const WARM = 500;
const JOBS = 1_000;
const ROUNDS = 5;
const CALLS = 200_000;

/** What one span costs that nobody records, in ns: an `inSpan` against the bare call. */
const offNs = async (): Promise<number> => {
  const work = async () => {};
  const spec = { name: 'bench', kind: 'internal', attributes: { a: 'b', c: 'd' } } as const;
  const time = async (call: () => Promise<void>) => {
    const begun = process.cpuUsage();
    for (let index = 0; index < CALLS; index += 1) await call();
    const { user, system } = process.cpuUsage(begun);
    return ((user + system) * 1_000) / CALLS;
  };
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1)
    rounds.push((await time(() => inSpan(spec, work))) - (await time(work)));
  return Math.max(median(rounds), 0);
};

const spansTaken = async (sink: ChildProcess): Promise<number> => {
  await delay(3_000); // services send what they recorded once a second
  sink.send('count');
  const [spans] = (await once(sink, 'message')) as [number];
  return spans;
};

type Side = {
  readonly submit: () => Promise<unknown>;
  readonly pids: readonly number[];
  readonly close: () => void;
};

const sideOf = async (system: System): Promise<Side> => {
  const md = await system.putLesson('small.md', await sample('morning-at-the-harbour'));
  const http = await systemClient(system, CONNECTIONS);
  return {
    submit: () => http.submit({ md, preset: 'b1-default', withTts: false, mode: 'auto' }),
    pids: Object.values(system.stack.info().services).map(({ pid }) => pid),
    close: () => http.close(),
  };
};

type Round = { readonly perSecond: number; readonly cpuUs: number };

const round = async ({ submit, pids }: Side): Promise<Round> => {
  const cpu = () => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
  const before = cpu();
  const { perSecond } = await load(JOBS, CONNECTIONS, submit);
  return { perSecond, cpuUs: ((cpu() - before) * 1_000) / JOBS };
};

/** Two systems in one run, one recording a tenth of its requests, submitted to in turns. */
export const benchTracing = async (): Promise<Figure[]> => {
  const sink = fork(new URL('./span-sink.ts', import.meta.url));
  const systems: System[] = [];
  try {
    const [url] = (await once(sink, 'message')) as [string];
    const quiet = { LOG_LEVEL: 'error' };
    const recording = { ...quiet, OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_SAMPLER_ARG: '0.1' };
    for (const env of [quiet, recording]) systems.push(await startSystem({ without: ['worker'], env }));
    const sides = await Promise.all(systems.map(sideOf));
    const [off, on] = sides;
    if (!off || !on) throw new Error('both systems must run');
    for (const side of sides) await load(WARM, CONNECTIONS, side.submit);
    await spansTaken(sink);
    const rounds: (readonly [Round, Round])[] = [];
    for (let index = 0; index < ROUNDS; index += 1) rounds.push([await round(off), await round(on)] as const);
    const spans = (await spansTaken(sink)) / (JOBS * ROUNDS * 0.1);
    for (const side of sides) side.close();
    const lost = median(rounds.map(([without, with_]) => 1 - with_.perSecond / without.perSecond));
    const perSecond = rounds.map((pair) => pair[0].perSecond);
    const cpu = [0, 1].map((index) => median(rounds.map((pair) => pair[index]?.cpuUs ?? 0)));
    const [cpuOff = 0, cpuOn = 0] = cpu;
    const idleNs = await offNs();
    const share = (idleNs * spans) / 1_000 / cpuOff;
    const percent = (part: number) => `${(part * 100).toFixed(1)} %`;
    return [
      {
        what: 'tracing off: its share of the CPU of an accepted job',
        value: `${percent(share)} (${spans.toFixed(1)} spans not made, ${idleNs.toFixed(0)} ns each, of ${cpuOff.toFixed(0)} µs)`,
        target: '< 2 %',
        met: share < 0.02,
      },
      {
        what: 'tracing on, 10 % recorded: accepted jobs/s lost',
        value: `${percent(lost)} (of ${median(perSecond).toFixed(0)}/s; CPU ${cpuOff.toFixed(0)} → ${cpuOn.toFixed(0)} µs a job)`,
        target: '< 10 %',
        met: lost < 0.1,
      },
    ];
  } finally {
    for (const system of systems) await system.stop();
    sink.kill();
  }
};
