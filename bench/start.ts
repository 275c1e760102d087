import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '@esl/local/fetch-program';
import { isPortFree } from '@esl/local/ports';
import type { ServiceName, StackInfo } from '@esl/local/stack';
import { type System, startSystem } from '../e2e/system.ts';
import { type Figure, median } from './measure.ts';

const TIMES = 3;
const root = fileURLToPath(new URL('../', import.meta.url));

/** Outside the range that connections take theirs from: one that is asked for again and again would answer itself. */
const quietPort = async (): Promise<number> => {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if (await isPortFree(port)) return port;
  }
};

const isOk = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path: '/readyz' }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on('error', () => resolve(false));
  });

/** From the start of a process to its first good answer to a probe, in ms. */
const startMs = async (script: string, env: NodeJS.ProcessEnv): Promise<number> => {
  const port = await quietPort();
  const begun = performance.now();
  const child = spawn(process.execPath, ['--max-semi-space-size=4', join(root, script)], {
    env: { ...env, ADMIN_PORT: String(port), EXIT_WITH_PARENT: '1' },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    while (!(await isOk(port))) {
      if (child.exitCode !== null) throw new Error(`${script} ended before it was ready`);
      await delay(2);
    }
    return performance.now() - begun;
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
};

/** What each service needs to be ready. */
const CALLS: Readonly<Record<ServiceName, readonly ServiceName[]>> = {
  config: [],
  jobs: [],
  actions: ['jobs'],
  worker: ['jobs', 'config'],
  gateway: ['jobs'],
};
const OPENS_MONGO: readonly ServiceName[] = ['config', 'jobs', 'actions', 'gateway'];
const grpcOf = ({ services }: StackInfo, name: ServiceName) => services[name]?.grpc ?? '';

const environments = (system: System, service: ServiceName) => {
  const info = system.stack.info();
  const opens = {
    NATS_URL: info.nats.url,
    ...(OPENS_MONGO.includes(service) && { MONGODB_URL: info.mongo.url }),
  };
  const common = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    NODE_COMPILE_CACHE: join(cacheFolder(process.env), 'compiled'),
    LOG_LEVEL: 'error',
    BIND_HOST: '127.0.0.1',
    ...opens,
  };
  return {
    bare: { ...common, GRPC_TARGETS: CALLS[service].map((name) => grpcOf(info, name)).join(',') },
    ours: {
      ...common,
      NODE_ENV: 'development',
      MONGODB_DB: 'esl',
      GRPC_PORT: '0',
      PORT: '0',
      BLOB_DIR: join(system.home, 'blobs'),
      LESSONS_DIR: system.lessonsDir,
      ESL_PIPELINE_CONFIG_DIR: join(root, 'configs'),
      WORKER_ID: `bench-${Math.random().toString(36).slice(2)}`,
      JOBS_ADDR: grpcOf(info, 'jobs'),
      ACTIONS_ADDR: grpcOf(info, 'actions'),
      CONFIG_ADDR: grpcOf(info, 'config'),
      LESSONS_ADDR: grpcOf(info, 'worker'),
    },
  };
};

/** Each service beside a bare process with the same connections, in turns. */
export const benchStart = async (): Promise<Figure[]> => {
  const system = await startSystem({ env: { LOG_LEVEL: 'error' } });
  try {
    const figures: Figure[] = [];
    for (const service of Object.keys(CALLS) as ServiceName[]) {
      const { bare, ours } = environments(system, service);
      const script = `services/${service}/src/main.ts`;
      const pairs: { bareMs: number; oursMs: number }[] = [];
      for (let time = 0; time <= TIMES; time += 1)
        pairs.push({
          bareMs: await startMs('bench/bare-start.ts', bare),
          oursMs: await startMs(script, ours),
        });
      const [, ...warm] = pairs; // the first fills the compile cache
      const ratio = median(warm.map(({ bareMs, oursMs }) => oursMs / bareMs));
      const ms = (of: 'bareMs' | 'oursMs') => median(warm.map((pair) => pair[of])).toFixed(0);
      figures.push({
        what: `${service}, start to ready`,
        value: `${ratio.toFixed(1)} × bare Node (${ms('oursMs')} ms against ${ms('bareMs')} ms)`,
        target: '< 3 ×',
        met: ratio < 3,
      });
    }
    return figures;
  } finally {
    await system.stop();
  }
};
