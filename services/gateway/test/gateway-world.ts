import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { filesystemBlobStore } from '@esl/kit/blob-store';
import type { Bus } from '@esl/kit/bus';
import { connectGrpc, type GrpcClient } from '@esl/kit/grpc-client';
import { serve, startGrpcServer } from '@esl/kit/grpc-server';
import { accept, refuse } from '@esl/kit/outcome';
import { openWorld, type World } from '@esl/kit/testing/world';
import { errorEnvelopeSchema } from '@esl-pipeline/contracts';
import { CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { ActionsService } from '@esl-pipeline/contracts/esl/actions/v1/actions_service';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { LessonsService } from '@esl-pipeline/contracts/esl/lessons/v1/lessons_service';
import { v7 as uuidv7 } from 'uuid';
import { expect } from 'vitest';
import { loadConfig as loadJobsConfig } from '../../jobs/src/config.ts';
import { startJobs } from '../../jobs/src/start.ts';
import { openPasswords } from '../src/accounts/passwords.ts';
import { loadConfig } from '../src/config.ts';
import { ANONYMOUS } from '../src/inbound/principal.ts';
import { mongoUserStore } from '../src/outbound/mongo-accounts.ts';
import { mongoUploadStore } from '../src/outbound/mongo-uploads.ts';
import { startGateway } from '../src/start.ts';

/**
 * Who specs are that are not about accounts: the one user of a gateway with accounts, and by the same id the tenant of a
 * gateway without. Its lessons are files under the lessons folder to the one, and uploads of the same name to the other.
 */
const OWNER = { id: ANONYMOUS.ownerId, email: 'owner@example.com', password: 'Correct-Horse-7' };
export const PASSWORD = OWNER.password;

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
  /** Where the jobs service answers. */
  readonly jobsAddress: string;
  readonly lessonsDir: string;
  readonly blobDir: string;
  /** What the actions service was asked. */
  readonly executed: unknown[];
  /** Which lessons were looked at. */
  readonly validated: unknown[];
  readonly writeLesson: (name: string, text?: string) => Promise<string>;
  /** Another gateway of the same system, which knows the world's one user; stopped with the world. */
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
  const users = await mongoUserStore(world.mongo.db, () => new Date());
  const uploads = await mongoUploadStore(world.mongo.db);
  const blobs = filesystemBlobStore(blobDir);
  const now = new Date();
  await users.add({
    id: OWNER.id,
    email: OWNER.email,
    passwordHash: await (await openPasswords()).hash(OWNER.password),
    role: 'user',
    isActive: true,
    createdAt: now,
    updatedAt: now,
    lastLoginAt: null,
  });
  const asUpload = async (md: string, text: string) => {
    const id = uuidv7();
    await world.mongo.db.collection('uploads').deleteMany({ ownerId: OWNER.id, md });
    const bytes = Buffer.from(text);
    const upload = {
      id,
      md,
      ownerId: OWNER.id,
      blobKey: `lessons/${OWNER.id}/${id}.md`,
      bytes: bytes.length,
    };
    await blobs.put(upload.blobKey, bytes, { contentType: 'text/markdown' }, AbortSignal.timeout(5_000));
    await uploads.add(
      { ...upload, label: 'lesson.md', originalName: md, type: 'text/markdown', uploadedAt: new Date() },
      Number.POSITIVE_INFINITY,
    );
  };

  return {
    world,
    bus,
    jobs: client.call,
    jobsAddress: jobsService.address,
    lessonsDir,
    blobDir,
    executed,
    validated,
    writeLesson: async (name, text = '# A lesson\n') => {
      const path = join(lessonsDir, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
      await asUpload(name, text);
      return name;
    },
    startGateway: async (env = {}) => {
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
      const gateway = await world.run(startGateway({ config, log: world.log }));
      if (config.BATCH_BACKEND_ENABLE_EXTENDED_API) await rememberToken(gateway.url);
      return gateway;
    },
  };
};

export type Answered = { readonly status: number; readonly headers: Headers; readonly body: unknown };

/** The access tokens of the world's one user, by gateway. */
const tokens = new Map<string, string>();
const rememberToken = async (url: string) => {
  const answer = await client(url, null).post('/auth/login', OWNER);
  tokens.set(url, (answer.body as { accessToken: string }).accessToken);
};

/** The header that the world's one user sends to a gateway, if that has accounts. */
export const authorization = (url: string, token = tokens.get(new URL(url).origin) ?? null) =>
  token === null ? {} : { authorization: `Bearer ${token}` };

/** Calls a gateway, and reads JSON: as the world's one user, with another token, or with none (null). */
export const client = (url: string, token?: string | null) => {
  const send = async (path: string, init: RequestInit = {}): Promise<Answered> => {
    const response = await fetch(url + path, {
      ...init,
      headers: { ...authorization(url, token), ...(init.headers as Record<string, string> | undefined) },
      signal: AbortSignal.timeout(60_000),
    });
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

/** Someone else who has an account. */
export const stranger = async (url: string): Promise<ReturnType<typeof client>> => {
  const anyone = client(url, null);
  const account = { email: `${uuidv7()}@example.com`, password: OWNER.password };
  await anyone.post('/auth/register', account);
  const { body } = await anyone.post('/auth/login', account);
  return client(url, (body as { accessToken: string }).accessToken);
};

/** Checks that an answer is this problem, and gives its details. */
export const expectProblem = ({ status, body }: Answered, wanted: number, code: string) => {
  const envelope = errorEnvelopeSchema.strict().parse(body);
  expect([status, envelope.code]).toEqual([wanted, code]);
  return envelope.details;
};
