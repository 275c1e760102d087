import { randomUUID } from 'node:crypto';
import { connectGrpc, type GrpcClient, Refused } from '@esl/kit/grpc-client';
import { publish } from '@esl/kit/publish';
import { eventually, openWorld, type World } from '@esl/kit/testing/world';
import { CHANNELS, CONSUMERS, STREAMS } from '@esl-pipeline/contracts/bus';
import { ActionsService } from '@esl-pipeline/contracts/esl/actions/v1/actions_service';
import { OwnerSettingsService } from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import { ArtifactKind, JobPriority, JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { actionCapabilitySchema } from '@esl-pipeline/contracts/http/job-actions';
import { v7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig as loadConfigConfig } from '../../config/src/config.ts';
import { startConfig } from '../../config/src/start.ts';
import { loadConfig as loadJobsConfig } from '../../jobs/src/config.ts';
import { startJobs } from '../../jobs/src/start.ts';
import { loadConfig } from '../src/config.ts';
import type { ActionDocument } from '../src/outbound/mongo-action-log.ts';
import { startActions } from '../src/start.ts';

type ActionsClient = GrpcClient<typeof ActionsService>['call'];

let world: World;
let jobs: GrpcClient<typeof JobsService>['call'];
let actions: ActionsClient;
let addresses: { JOBS_ADDR: string; CONFIG_ADDR: string };
let publishTo: Awaited<ReturnType<World['connectBus']>>;

const serveActions = async (env: Record<string, string>): Promise<ActionsClient> => {
  const service = await world.run(
    startActions({ config: loadConfig({ ...world.env, ...env }), log: world.log }),
  );
  const client = connectGrpc(ActionsService, { address: service.address, deadlineMs: 20_000 });
  world.defer(client.close);
  return client.call;
};

beforeAll(async () => {
  world = await openWorld();
  publishTo = await world.connectBus({
    streams: Object.values(STREAMS),
    consumers: Object.values(CONSUMERS),
  });
  const jobsService = await world.run(startJobs({ config: loadJobsConfig(world.env), log: world.log }));
  const configService = await world.run(
    startConfig({
      config: loadConfigConfig({ ...world.env, NOTION_TOKEN: 'token', NOTION_DB_ID: 'db-9' }),
      log: world.log,
    }),
  );
  const client = connectGrpc(JobsService, { address: jobsService.address, deadlineMs: 10_000 });
  world.defer(client.close);
  jobs = client.call;
  addresses = { JOBS_ADDR: jobsService.address, CONFIG_ADDR: configService.address };
  actions = await serveActions(addresses);
});
afterAll(() => world[Symbol.asyncDispose]());

const ana = { reach: { case: 'ownerId', value: 'ana' } } as const;
const everyone = { reach: { case: 'everyone', value: true } } as const;

const execute = (
  jobId: string,
  type: string,
  payload: Record<string, string | number | boolean | null> = {},
  over: { scope?: typeof ana | typeof everyone; actorId?: string; newJobId?: string } = {},
) => actions.execute({ scope: ana, actorId: 'ana', jobId, type, payload, ...over });

const get = async (jobId: string) => {
  const { job } = await jobs.getJob({ scope: everyone, jobId });
  if (!job?.spec) throw new Error('no job');
  return { ...job, spec: job.spec };
};

const spec = {
  md: 'a.md',
  lessonKey: 'lessons/a.md',
  preset: 'calm-blue',
  voiceId: 'v-old',
  voiceAccent: 'british',
  forceTts: true,
  upload: 'none',
  mode: 'dialogue',
};
const given = async (state: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'): Promise<string> => {
  const jobId = v7();
  await jobs.createJobs({ jobs: [{ id: jobId, ownerId: 'ana', spec, priority: JobPriority.LOW }] });
  if (state === 'queued') return jobId;
  if (state === 'cancelled') {
    await jobs.cancelJob({ scope: ana, jobId });
    return jobId;
  }
  const { outcome } = await jobs.claimRun({ jobId, workerId: 'w1' });
  if (outcome.case !== 'claimed') throw new Error(`expected a claim, got ${outcome.case}`);
  if (state === 'running') return jobId;
  const ended = { jobId, attempt: 1 };
  if (state === 'succeeded') {
    const page = { kind: ArtifactKind.PAGE, key: 'pages/a.html', contentType: 'text/html', bytes: 1n };
    await publish(publishTo, CHANNELS.runSucceeded, jobId, { ...ended, result: { artifacts: [page] } });
  } else {
    const failure = { code: 'broken', message: 'It broke.', retryable: false };
    await publish(publishTo, CHANNELS.runFailed, jobId, { ...ended, failure });
  }
  const wanted = state === 'succeeded' ? JobState.SUCCEEDED : JobState.FAILED;
  await eventually(async () => ((await get(jobId)).state === wanted ? true : null));
  return jobId;
};

const logOf = (jobId: string) =>
  world.mongo.db.collection<ActionDocument>('action_log').find({ jobId }).sort({ _id: 1 }).toArray();
const refusal = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Refused)) throw new Error('expected a refusal', { cause: error });
  return error.refusal;
};

describe('the capabilities', () => {
  it('are three, all implemented, in the order a UI shows them', async () => {
    const { capabilities } = await actions.listCapabilities({});
    expect(capabilities.map(({ type }) => type)).toEqual(['rerun_audio', 'cancel', 'edit_metadata']);
    for (const capability of capabilities)
      expect(actionCapabilitySchema.parse(capability)).toMatchObject({
        implemented: true,
        requiresFields: [],
      });
  });
});

describe('rerunning the audio', () => {
  it('makes a job of its own from the old one, with the new voice', async () => {
    const jobId = await given('succeeded');
    const before = await get(jobId);
    const { newJobId = '', message } = await execute(jobId, 'rerun_audio', {
      voiceId: 'v-new',
      forceTts: true,
    });
    expect(message).not.toBe('');
    expect(await get(newJobId)).toMatchObject({
      ownerId: 'ana',
      parentJobId: jobId,
      state: JobState.QUEUED,
      priority: JobPriority.LOW,
      spec: { ...spec, voiceId: 'v-new', withTts: true, forceTts: true },
    });
    expect(await get(jobId)).toEqual(before);
  });

  it('reuses what was spoken unless it is told to speak again', async () => {
    const jobId = await given('succeeded');
    const { newJobId = '' } = await execute(jobId, 'rerun_audio');
    expect((await get(newJobId)).spec).toMatchObject({ ...spec, withTts: true, forceTts: false });
  });

  it('makes one job when the call is repeated', async () => {
    const jobId = await given('succeeded');
    const newJobId = v7();
    for (let time = 0; time < 2; time += 1) {
      expect((await execute(jobId, 'rerun_audio', {}, { newJobId })).newJobId).toBe(newJobId);
    }
    const { total } = await jobs.listJobs({ scope: ana, parentJobId: jobId });
    expect(total).toBe(1n);
  });

  it('leaves the new job to the owner when an admin asks', async () => {
    const jobId = await given('succeeded');
    const { newJobId = '' } = await execute(jobId, 'rerun_audio', {}, { scope: everyone, actorId: 'admin' });
    expect((await get(newJobId)).ownerId).toBe('ana');
    expect(await logOf(jobId)).toMatchObject([{ actorId: 'admin', outcome: 'done', newJobId }]);
  });

  it.each(['queued', 'running', 'failed', 'cancelled'] as const)(
    'is not possible while %s',
    async (state) => {
      const jobId = await given(state);
      expect(await refusal(execute(jobId, 'rerun_audio'))).toMatchObject({
        code: 'invalid_state',
        details: { state, action: 'rerun_audio' },
      });
    },
  );
});

describe('cancelling', () => {
  it.each(['queued', 'running'] as const)('ends a job that is %s', async (state) => {
    const jobId = await given(state);
    expect((await execute(jobId, 'cancel', { reason: ' wrong lesson ' })).newJobId).toBeUndefined();
    expect(await get(jobId)).toMatchObject({ state: JobState.CANCELLED, cancelReason: 'wrong lesson' });
  });

  it.each(['succeeded', 'failed', 'cancelled'] as const)('is not possible when %s', async (state) => {
    const jobId = await given(state);
    expect(await refusal(execute(jobId, 'cancel'))).toMatchObject({
      code: 'invalid_state',
      message: expect.stringMatching(new RegExp(`cancel .*${state}`)),
      details: { state, action: 'cancel' },
    });
  });

  it('succeeds once when many ask at the same time', async () => {
    const jobId = await given('queued');
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => execute(jobId, 'cancel')));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected')
        expect(result.reason.refusal).toMatchObject({
          code: 'invalid_state',
          details: { state: 'cancelled' },
        });
  });
});

describe('editing the metadata', () => {
  it.each(['queued', 'succeeded', 'failed', 'cancelled'] as const)(
    'changes a job that is %s',
    async (state) => {
      const jobId = await given(state);
      await execute(jobId, 'edit_metadata', { preset: 'b1-default' });
      await execute(jobId, 'edit_metadata', { notionDatabase: 'db-9' });
      expect((await get(jobId)).spec).toMatchObject({
        ...spec,
        preset: 'b1-default',
        notionDatabase: 'db-9',
      });
    },
  );

  it('is not possible while a worker has the job', async () => {
    const jobId = await given('running');
    expect(await refusal(execute(jobId, 'edit_metadata', { preset: 'b1-default' }))).toMatchObject({
      code: 'invalid_state',
      details: { state: 'running', action: 'edit_metadata' },
    });
  });

  it('changes nothing when the preset or the database does not exist', async () => {
    const jobId = await given('queued');
    const before = await get(jobId);
    const both = { preset: 'neon', notionDatabase: 'local' };
    expect((await refusal(execute(jobId, 'edit_metadata', both))).code).toBe('unknown_preset');
    const database = { preset: 'b1-default', notionDatabase: 'db-77' };
    expect((await refusal(execute(jobId, 'edit_metadata', database))).code).toBe('unknown_notion_database');
    expect(await get(jobId)).toEqual(before);
  });
});

describe('editing the job of an owner with a Notion token', () => {
  it('may name a database that only Notion knows', async () => {
    const notionDatabase = '1f2e3d4c-5b6a-4798-8a9b-0c1d2e3f4a5b';
    const jobId = await given('queued');
    const edit = () => execute(jobId, 'edit_metadata', { notionDatabase });
    expect((await refusal(edit())).code).toBe('unknown_notion_database');
    const owners = connectGrpc(OwnerSettingsService, { address: addresses.CONFIG_ADDR, deadlineMs: 5_000 });
    world.defer(owners.close);
    const notionToken = { sealed: `v1.${'x'.repeat(60)}` };
    await owners.call.updateOwnerSettings({ ownerId: 'ana', notionToken });
    await edit();
    expect((await get(jobId)).spec.notionDatabase).toBe(notionDatabase);
    await owners.call.updateOwnerSettings({ ownerId: 'ana', notionToken: {} });
  });
});

describe('a bad request', () => {
  const cases: [type: string, payload: Record<string, string | number | boolean | null>, code: string][] = [
    ['explode', {}, 'invalid_action_type'],
    ['__proto__', {}, 'invalid_action_type'],
    ['', {}, 'invalid_action_type'],
    ['rerun_audio', { voiceId: 7 }, 'invalid_voice_id'],
    ['rerun_audio', { voiceAccent: ' ' }, 'invalid_voice_accent'],
    ['rerun_audio', { forceTts: 'yes' }, 'invalid_force_tts'],
    ['cancel', { reason: 'x'.repeat(501) }, 'invalid_reason'],
    ['edit_metadata', { preset: '' }, 'invalid_preset'],
    ['edit_metadata', { notionDatabase: null }, 'invalid_notion_database'],
    ['edit_metadata', { colour: 'red' }, 'empty_edit'],
  ];
  it.each(cases)('%s %j is refused as such', async (type, payload, code) => {
    expect((await refusal(execute(await given('succeeded'), type, payload))).code).toBe(code);
  });

  it('finds no job of someone else, no missing one, and none by a malformed id, all alike', async () => {
    const jobId = await given('queued');
    const bob = { reach: { case: 'ownerId', value: 'bob' } } as const;
    const refusals = [
      await refusal(actions.execute({ scope: bob, actorId: 'bob', jobId, type: 'cancel' })),
      await refusal(execute(v7(), 'cancel')),
      await refusal(execute('../x', 'cancel')),
    ];
    for (const each of refusals) expect(each).toEqual({ code: 'job_not_found', message: expect.any(String) });
    expect((await get(jobId)).state).toBe(JobState.QUEUED);
  });

  it('reaches nothing without a scope', async () => {
    const jobId = await given('queued');
    expect((await refusal(actions.execute({ jobId, type: 'cancel' }))).code).toBe('scope_required');
    expect((await refusal(actions.execute({ scope: {}, jobId, type: 'cancel' }))).code).toBe(
      'scope_required',
    );
  });
});

describe('the action log', () => {
  it('has every request with its outcome, and only the fields the action knows', async () => {
    const jobId = await given('queued');
    await refusal(execute(jobId, 'rerun_audio', { voiceId: 'v-1', secret: 'x' }));
    await refusal(execute(jobId, 'cancel', { reason: 5 }));
    await execute(jobId, 'cancel', { reason: 'enough' });
    expect(await logOf(jobId)).toMatchObject([
      { type: 'rerun_audio', payload: { voiceId: 'v-1' }, outcome: 'invalid_state', actorId: 'ana' },
      { type: 'cancel', payload: null, outcome: 'invalid_reason' },
      { type: 'cancel', payload: { reason: 'enough' }, outcome: 'done', at: expect.any(Date) },
    ]);
    expect((await logOf(jobId))[0]?.payload).toEqual({ voiceId: 'v-1' });
  });

  it('keeps only the beginning of endless names', async () => {
    const actorId = randomUUID();
    await refusal(execute('x'.repeat(5_000), 'y'.repeat(5_000), {}, { actorId }));
    const entry = await world.mongo.db.collection<ActionDocument>('action_log').findOne({ actorId });
    expect([entry?.jobId.length, entry?.type.length]).toEqual([100, 100]);
  });

  it('forgets after 90 days', async () => {
    const indexes = await world.mongo.db.collection('action_log').indexes();
    expect(indexes.find(({ name }) => name === 'kept')).toMatchObject({
      key: { at: 1 },
      expireAfterSeconds: 90 * 86_400,
    });
  });
});

describe('when a service is down', () => {
  const nowhere = '127.0.0.1:1';

  it('says so while jobs cannot be reached', async () => {
    const lonely = await serveActions({ ...addresses, JOBS_ADDR: nowhere });
    const request = { scope: ana, actorId: 'ana', jobId: v7(), type: 'cancel' };
    expect((await refusal(lonely.execute(request))).code).toBe('unavailable');
    expect((await lonely.listCapabilities({})).capabilities).toHaveLength(3);
  });

  it('refuses only edits while config cannot be reached', async () => {
    const lonely = await serveActions({ ...addresses, CONFIG_ADDR: nowhere });
    const jobId = await given('queued');
    const request = { scope: ana, actorId: 'ana', jobId };
    const edit = lonely.execute({ ...request, type: 'edit_metadata', payload: { preset: 'b1-default' } });
    expect((await refusal(edit)).code).toBe('unavailable');
    await lonely.execute({ ...request, type: 'cancel' });
    expect((await get(jobId)).state).toBe(JobState.CANCELLED);
  });
});
