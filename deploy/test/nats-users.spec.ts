import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@esl/local/ports';
import { startProgram } from '@esl/local/server';
import type { Job } from '@esl-pipeline/contracts';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { loadConfig as loadActions } from '../../services/actions/src/config.ts';
import { startActions } from '../../services/actions/src/start.ts';
import { loadConfig as loadCatalog } from '../../services/config/src/config.ts';
import { startConfig } from '../../services/config/src/start.ts';
import { loadConfig as loadGateway } from '../../services/gateway/src/config.ts';
import { startGateway } from '../../services/gateway/src/start.ts';
import { loadConfig as loadJobs } from '../../services/jobs/src/config.ts';
import { startJobs } from '../../services/jobs/src/start.ts';
import { eventually, openWorld, type World } from '../../services/kit/testing/world.ts';
import { loadConfig as loadWorker } from '../../services/worker/src/config.ts';
import { startWorker } from '../../services/worker/src/start.ts';
import { openGateway } from '../cluster/gateway-client.ts';

const component = fileURLToPath(new URL('../components/nats/', import.meta.url));
const LESSON = fileURLToPath(new URL('../../docs/lessons/morning-at-the-harbour.md', import.meta.url));
const USERS = ['gateway', 'jobs', 'actions', 'config', 'worker'] as const;
type User = (typeof USERS)[number];

/** Who says what; a new channel has to be added here, and to the users. */
const PUBLISHERS = {
  jobCreated: 'jobs',
  jobStateChanged: 'jobs',
  jobProgressed: 'jobs',
  jobUpdated: 'jobs',
  batchUpdated: 'jobs',
  batchFinished: 'jobs',
  runHigh: 'jobs',
  runNormal: 'jobs',
  runLow: 'jobs',
  refresh: 'jobs',
  purge: 'jobs',
  cancel: 'jobs',
  runStepped: 'worker',
  runSucceeded: 'worker',
  runFailed: 'worker',
  runCancelled: 'worker',
  runRefreshed: 'worker',
  runPurged: 'worker',
  configChanged: 'config',
  accountChanged: 'gateway',
} as const satisfies Record<keyof typeof CHANNELS, User>;

const found = inject('nats');
const binary = 'binary' in found ? found.binary : null;

/** The server as the cluster runs it, but for folders and ports. */
const startAsDeployed = async (world: World) => {
  const [port = 0, monitorPort = 0] = await freePorts(2);
  const folder = join(world.folder, 'deployed');
  await mkdir(folder);
  const conf = (await readFile(join(component, 'nats.conf'), 'utf8'))
    .replace('port: 4222', `port: ${port}\nhost: 127.0.0.1`)
    .replace('http_port: 8222', `http_port: ${monitorPort}`)
    .replace('/run/nats', folder)
    .replace('/data', join(folder, 'data'));
  await writeFile(join(folder, 'nats.conf'), conf);
  await copyFile(join(component, 'users.conf'), join(folder, 'users.conf'));
  const passwords = USERS.map((user) => `${user.toUpperCase()}_PASSWORD=p-${user}`);
  const server = await startProgram(
    '/usr/bin/env',
    [...passwords, 'POD_NAME=nats-0', binary ?? '', '--config', join(folder, 'nats.conf')],
    {
      url: `127.0.0.1:${port}`,
      logFile: join(folder, 'nats.log'),
      ready: async () => {
        const { ok } = await fetch(`http://127.0.0.1:${monitorPort}/healthz`);
        if (!ok) throw new Error('not healthy yet');
      },
    },
  );
  world.defer(() => server.stop());
  return server.url;
};

describe.runIf(binary)('NATS as deployed', () => {
  let world: World;
  let address: string;
  beforeAll(async () => {
    world = await openWorld();
    address = await startAsDeployed(world);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const as = async (user: User, pass = `p-${user}`) => {
    const nc = await connect({ servers: address, user, pass, reconnect: false });
    world.defer(() => nc.close());
    return nc;
  };

  it('lets every service do all of its part in a lesson', async () => {
    const env = (user: User) => ({
      ...world.env,
      NATS_URL: `nats://${user}:p-${user}@${address}`,
      BLOB_DIR: join(world.folder, 'blobs'),
      LESSONS_DIR: join(world.folder, 'lessons'),
      PORT: '0',
    });
    const { log } = world;
    await mkdir(join(world.folder, 'lessons'));
    await copyFile(LESSON, join(world.folder, 'lessons/lesson.md'));
    const jobs = await world.run(startJobs({ config: loadJobs(env('jobs')), log }));
    const catalog = await world.run(startConfig({ config: loadCatalog(env('config')), log }));
    const addresses = { JOBS_ADDR: jobs.address, CONFIG_ADDR: catalog.address };
    const actions = await world.run(
      startActions({ config: loadActions({ ...env('actions'), ...addresses }), log }),
    );
    const worker = await world.run(
      startWorker({ config: loadWorker({ ...env('worker'), ...addresses }), log }),
    );
    const gateway = await world.run(
      startGateway({
        config: loadGateway({
          ...env('gateway'),
          ...addresses,
          ACTIONS_ADDR: actions.address,
          LESSONS_ADDR: worker.address,
        }),
        log,
      }),
    );
    const client = await openGateway(gateway.url);
    const md = await client.upload(join(world.folder, 'lessons/lesson.md'));
    const events = await fetch(client.eventsUrl);
    const { jobId } = (await client.request('POST', '/jobs', { md })) as { jobId: string };
    let seen = '';
    for await (const chunk of events.body ?? []) {
      seen += Buffer.from(chunk).toString();
      if (/"type":"job_state_changed","jobId":"[^"]+","state":"(succeeded|failed)"/.test(seen)) break;
    }
    expect(await client.job(jobId)).toMatchObject({ state: 'succeeded' } satisfies Partial<Job>);
  });

  it.each(Object.entries(PUBLISHERS) as [keyof typeof CHANNELS, User][])(
    'lets its service say %s',
    async (channel, user) => {
      const nc = await as(user);
      // A stream acknowledges it; where none is, nobody answers.
      const answer = nc.request(CHANNELS[channel].subject('x'), '', { timeout: 5_000 });
      const refused = await answer.then(
        () => null,
        (error: Error) => error.message,
      );
      expect(refused ?? '').not.toMatch(/permissions violation/i);
    },
  );

  it.each([
    ['gateway', 'job.created.x'],
    ['gateway', 'work.run.high.x'],
    ['gateway', '$JS.API.STREAM.INFO.WORK'],
    ['worker', 'job.state_changed.x'],
    ['worker', 'work.run.high.x'],
    ['jobs', 'throttle.notion.x'],
    ['jobs', '$JS.API.STREAM.DELETE.JOBS'],
    ['jobs', '$JS.API.STREAM.PURGE.JOBS'],
    ['worker', '$JS.API.STREAM.DELETE.WORK'],
    ['worker', 'account.changed.x'],
    ['actions', 'job.created.x'],
    ['config', '$JS.API.STREAM.INFO.JOBS'],
  ] as const)('does not let %s publish %s', async (user, subject) => {
    const nc = await as(user);
    await expect(nc.request(subject, '', { timeout: 5_000 })).rejects.toThrow(/permissions violation/i);
  });

  it('lets nobody in without a password, and nobody read what is not theirs', async () => {
    await expect(connect({ servers: address, reconnect: false })).rejects.toThrow(/authorization/i);
    await expect(as('jobs', 'p-worker')).rejects.toThrow(/authorization/i);
    const nc = await as('config');
    const denied = eventually(async () => {
      for await (const status of nc.status()) if (status.type === 'error') return status.error.message;
      return null;
    });
    nc.subscribe('job.>');
    expect(await denied).toMatch(/permissions violation/i);
  });
});
