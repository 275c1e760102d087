import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { Bus } from '@esl/kit/bus';
import { connectGrpc, type GrpcClient } from '@esl/kit/grpc-client';
import { serve, startGrpcServer } from '@esl/kit/grpc-server';
import { accept, refuse } from '@esl/kit/outcome';
import { openWorld, type World } from '@esl/kit/testing/world';
import { CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { ActionsService } from '@esl-pipeline/contracts/esl/actions/v1/actions_service';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { LessonsService } from '@esl-pipeline/contracts/esl/lessons/v1/lessons_service';
import { v7 as uuidv7 } from 'uuid';
import { loadConfig as loadJobsConfig } from '../../jobs/src/config.ts';
import { startJobs } from '../../jobs/src/start.ts';
import { loadConfig } from '../src/config.ts';
import { startGateway } from '../src/start.ts';

export const LINK_SECRET = 'a secret that is only used in specs';
export const NEW_JOB_ID = uuidv7();

/** gRPC's numbers for the refusals that a gateway must translate. */
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;

/** A config service with one of everything. */
const configService = serve(
  ConfigService,
  {
    getJobOptions: async () =>
      accept({
        presets: ['calm-blue'],
        voiceAccents: ['british_female'],
        voices: [{ id: 'v-001', name: 'Wren', accent: 'british_female', gender: 'female' }],
        notionDatabases: [{ id: 'local', name: 'Local pages' }],
        uploadOptions: ['auto', 's3', 'none'],
        modes: ['auto', 'dialogue', 'monologue'],
        version: 'v1',
      }),
    listVoices: async () => accept({ version: 'v1' }),
    resolveSettings: async () => accept({ version: 'v1' }),
  },
  {},
);

const capability = (type: string) => ({ type, label: type, description: type, implemented: true });

/** An actions service that answers by the payload it was given. */
const actionsService = (seen: unknown[]) =>
  serve(
    ActionsService,
    {
      listCapabilities: async () =>
        accept({ capabilities: ['rerun_audio', 'cancel', 'edit_metadata'].map(capability) }),
      execute: async ({ jobId, type, payload, scope, actorId }) => {
        seen.push({ jobId, type, payload, owner: scope?.reach.value, actorId });
        if (payload?.reason === 'too late')
          return refuse('invalid_state', 'A succeeded job cannot be cancelled.');
        if (payload?.reason === true) return refuse('invalid_reason', '"reason" must be text.');
        if (!['rerun_audio', 'cancel'].includes(type))
          return refuse('invalid_action_type', 'No such action.');
        if (jobId === 'unknown') return refuse('job_not_found', 'There is no such job.');
        return accept({
          message: 'Done.',
          at: timestampFromDate(new Date()),
          ...(type === 'rerun_audio' && { newJobId: NEW_JOB_ID }),
        });
      },
    },
    {
      invalid_state: FAILED_PRECONDITION,
      invalid_reason: INVALID_ARGUMENT,
      invalid_action_type: INVALID_ARGUMENT,
      job_not_found: NOT_FOUND,
    },
  );

/** A lesson language in which every lesson but `broken` is fine. */
const lessonsService = (seen: unknown[]) =>
  serve(
    LessonsService,
    {
      validate: async ({ text, spec, ownerId }) => {
        seen.push({ text, ownerId, preset: spec?.preset, withTts: spec?.withTts });
        if (spec?.preset === 'neon') return refuse('unknown_preset', 'There is no such preset.');
        if (text === 'broken')
          return accept({
            ok: false,
            findings: [{ code: 'SECTION_ORDER', severity: 1, message: 'Out of order.', line: 3 }],
          });
        return accept({
          ok: true,
          meta: { title: 'A lesson', student: 'Sol', level: 'b1', topic: 'tea' },
          plan: {
            mode: 'dialogue',
            segments: 2,
            cast: [{ speaker: 'Sol', voiceId: 'v-001', voiceName: 'Wren', source: 'auto' }],
            characters: 20,
            estimatedCost: 10.5,
            blocks: 4,
          },
        });
      },
    },
    { unknown_preset: INVALID_ARGUMENT },
  );

export type GatewayWorld = {
  readonly world: World;
  readonly bus: Bus;
  readonly jobs: GrpcClient<typeof JobsService>['call'];
  readonly lessonsDir: string;
  readonly blobDir: string;
  /** What the actions service was asked. */
  readonly executed: unknown[];
  /** Which lessons were looked at. */
  readonly validated: unknown[];
  readonly writeLesson: (name: string, text?: string) => Promise<string>;
  /** Another gateway of the same system; stopped with the world. */
  readonly startGateway: (env?: Record<string, string>) => ReturnType<typeof startGateway>;
};

/** A real jobs service on real servers, and the folder that lessons come from. */
export const openGatewayWorld = async (): Promise<GatewayWorld> => {
  const world = await openWorld();
  const bus = await world.connectBus({
    streams: Object.values(STREAMS),
    consumers: Object.values(CONSUMERS),
  });
  const jobsService = await world.run(
    startJobs({ config: loadJobsConfig({ ...world.env }), log: world.log }),
  );
  const client = connectGrpc(JobsService, { address: jobsService.address, deadlineMs: 10_000 });
  world.defer(client.close);
  const executed: unknown[] = [];
  const validated: unknown[] = [];
  const others = await startGrpcServer(
    { host: '127.0.0.1', port: 0 },
    [configService, actionsService(executed), lessonsService(validated)],
    world.log,
  );
  world.defer(() => others.close(AbortSignal.timeout(500)));

  const lessonsDir = join(world.folder, 'lessons');
  const blobDir = join(world.folder, 'blobs');
  await mkdir(lessonsDir);
  return {
    world,
    bus,
    jobs: client.call,
    lessonsDir,
    blobDir,
    executed,
    validated,
    writeLesson: async (name, text = '# A lesson\n') => {
      const path = join(lessonsDir, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
      return name;
    },
    startGateway: (env = {}) => {
      const config = loadConfig({
        ...world.env,
        PORT: '0',
        LESSONS_DIR: lessonsDir,
        BLOB_DIR: blobDir,
        LINK_SECRET,
        JOBS_ADDR: jobsService.address,
        ACTIONS_ADDR: others.address,
        CONFIG_ADDR: others.address,
        LESSONS_ADDR: others.address,
        // Suites share the machine: slow is not down.
        RPC_DEADLINE_MS: '20000',
        ...env,
      });
      return world.run(startGateway({ config, log: world.log }));
    },
  };
};

export type Answered = { readonly status: number; readonly headers: Headers; readonly body: unknown };

/** Calls a gateway, and reads JSON. */
export const client = (url: string) => {
  const send = async (path: string, init: RequestInit = {}): Promise<Answered> => {
    const response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(20_000) });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : null };
  };
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return {
    send,
    post,
    submit: async (md: string, more: object = {}): Promise<string> => {
      const { status, body } = await post('/jobs', { md, ...more });
      if (status !== 202) throw new Error(`POST /jobs answered ${status}: ${JSON.stringify(body)}`);
      return (body as { jobId: string }).jobId;
    },
  };
};
