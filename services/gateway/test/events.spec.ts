import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { metrics } from '@esl/kit/metrics';
import { publish } from '@esl/kit/publish';
import { shutDown } from '@esl/kit/shut-down';
import { eventually } from '@esl/kit/testing/world';
import { batchEventSchema, jobEventSchema, jobSchema } from '@esl-pipeline/contracts';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import { BatchState } from '@esl-pipeline/contracts/esl/jobs/v1/batch';
import { JobState } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Frame, readEvents } from './event-reader.ts';
import { client, type GatewayWorld, openGatewayWorld } from './gateway-world.ts';

let system: GatewayWorld;
let url: string;
let http: ReturnType<typeof client>;
beforeAll(async () => {
  system = await openGatewayWorld();
  ({ url } = await system.startGateway());
  http = client(url);
  await system.writeLesson('lesson.md');
});
afterAll(() => system.world[Symbol.asyncDispose]());

const scope = { reach: { case: 'everyone', value: true } } as const;
const jobIdOf = ({ data }: Frame) => (data as { jobId: string }).jobId;
const watch = (query: string, headers?: Record<string, string>, at = url) =>
  readEvents(`${at}/jobs/events?${query}`, headers);

/** Publishes `count` facts as the jobs service would, and answers their job ids. */
const publishFacts = async (count: number, { ownerId = 'anonymous', padding = 0 } = {}) => {
  const at = timestampFromDate(new Date());
  const ids = Array.from({ length: count }, () => uuidv7());
  const warnings = padding ? [{ code: 'padding', message: 'x'.repeat(padding) }] : [];
  await Promise.all(
    ids.map((jobId) =>
      publish(system.bus, CHANNELS.jobCreated, jobId, {
        jobId,
        ownerId,
        version: 1,
        job: {
          id: jobId,
          ownerId,
          version: 1,
          state: JobState.QUEUED,
          spec: { md: 'lesson.md' },
          createdAt: at,
          updatedAt: at,
          warnings,
        },
      }),
    ),
  );
  return ids;
};

/** Open event streams of all gateways here, as they count them. */
const openStreamsAre = (wanted: number) =>
  eventually(async () => {
    const { values } = (await metrics.getSingleMetric('esl_sse_connections')?.get()) ?? { values: [] };
    return values[0]?.value === wanted ? true : null;
  });

const sequencesOf = (frames: readonly Frame[]) => frames.map(({ id }) => Number(id?.split('-')[1]));
const increasing = (numbers: readonly number[]) =>
  numbers.every((n, i) => i === 0 || n > (numbers[i - 1] ?? 0));

const resumeAt = (id: string) => ({ 'last-event-id': id });

describe('an event stream', () => {
  it('opens with its headers and a comment, at once', async () => {
    const reader = await watch('jobId=*');
    expect(reader.status).toBe(200);
    expect(reader.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      connection: 'keep-alive',
      'x-accel-buffering': 'no',
    });
    await eventually(() => (reader.text() === ': connected\n\n' ? true : null));
    reader.vanish();
  });

  it('tells a job’s story in order, each event equal to what GET says', async () => {
    const reader = await watch('jobId=*');
    const jobId = await http.submit('lesson.md', { withTts: true });
    await reader.until((frames) => frames.length === 1);
    const got = await http.send(`/jobs/${jobId}`);
    const { type, payload, ...job } = jobEventSchema.parse(reader.frames[0]?.data);
    expect(type).toBe('job_created');
    expect(payload.md).toBe('lesson.md');
    expect(job).toEqual(jobSchema.parse(got.body));

    await system.jobs.claimRun({ jobId, workerId: 'w1' });
    await system.jobs.cancelJob({ scope, jobId, reason: 'enough' });
    await reader.until((frames) => frames.length === 3);
    expect(reader.frames.map(({ event, data }) => [event, (data as { state: string }).state])).toEqual([
      ['job_created', 'queued'],
      ['job_state_changed', 'running'],
      ['job_state_changed', 'cancelled'],
    ]);
    const { type: _type, payload: _payload, ...last } = jobEventSchema.parse(reader.frames[2]?.data);
    expect(last).toEqual((await http.send(`/jobs/${jobId}`)).body);
    expect(increasing(sequencesOf(reader.frames))).toBe(true);
    reader.vanish();
  });

  it('tells only of the jobs asked for, and never of another owner’s', async () => {
    const [foreign = ''] = await publishFacts(1, { ownerId: 'someone-else' });
    const all = await watch('jobId=all');
    const foreignOnly = await watch(`jobId=${foreign}`);
    const [first = '', second = ''] = [await http.submit('lesson.md'), await http.submit('lesson.md')];
    const one = await watch(`jobId=${first},%20${uuidv7()}&jobId=not-an-id`);
    await publishFacts(1, { ownerId: 'someone-else' });
    await system.jobs.cancelJob({ scope, jobId: second });
    await system.jobs.cancelJob({ scope, jobId: first });
    await all.until((frames) => frames.length === 4);
    await one.until((frames) => frames.length === 1);
    expect(all.frames.map(jobIdOf)).toEqual([first, second, second, first]);
    expect(one.frames.map(jobIdOf)).toEqual([first]);
    expect(foreignOnly.frames).toEqual([]);
    for (const reader of [all, one, foreignOnly]) reader.vanish();
  });

  it('tells of the caller’s batches, to whoever follows all jobs or names the batch', async () => {
    const [batchId, foreign] = [uuidv7(), uuidv7()];
    const [all, named, others] = [
      await watch('jobId=*'),
      await watch(`jobId=${batchId}`),
      await watch(`jobId=${foreign}`),
    ];
    const createdAt = timestampFromDate(new Date(0));
    const tell = (id: string, ownerId: string) => {
      const batch = {
        id,
        ownerId,
        total: 2,
        counts: { succeeded: 2 },
        state: BatchState.FINISHED,
        createdAt,
      };
      const event = { batchId: id, ownerId, version: 2, batch };
      return publish(system.bus, CHANNELS.batchFinished, id, event);
    };
    await tell(foreign, 'someone-else');
    await tell(batchId, 'anonymous');
    const counts = { queued: 0, running: 0, succeeded: 2, failed: 0, cancelled: 0 };
    for (const reader of [all, named]) {
      const [frame] = await reader.until((frames) => frames.length === 1);
      expect(frame?.event).toBe('batch_finished');
      expect(batchEventSchema.strict().parse(frame?.data)).toMatchObject({
        type: 'batch_finished',
        batchId,
        total: 2,
        counts,
        state: 'finished',
        createdAt: '1970-01-01T00:00:00.000Z',
        finishedAt: null,
      });
    }
    expect(others.frames).toEqual([]);
    for (const reader of [all, named, others]) reader.vanish();
  });

  it('beats while it is silent', async () => {
    const quick = await system.startGateway({ SSE_HEARTBEAT_MS: '100' });
    const reader = await watch('jobId=*', {}, quick.url);
    await eventually(() => (reader.text().startsWith(': connected\n\n:\n\n:\n\n') ? true : null));
    reader.vanish();
  });

  it.each([
    ['', 'job_id_required'],
    ['jobId=', 'job_id_required'],
    ['jobId=,%20,', 'job_id_required'],
    ['jobId[$ne]=1', 'job_id_required'],
    [`jobId=${Array.from({ length: 501 }, () => uuidv7())}`, 'too_many_job_ids'],
  ])('refuses %.20s', async (query, code) => {
    const { status, body } = await http.send(`/jobs/events?${query}`);
    expect([status, body]).toMatchObject([400, { error: 'validation_failed', code }]);
  });

  it('is refused while too many are open, and HEAD opens none', async () => {
    const small = await system.startGateway({ SSE_MAX_CONNECTIONS: '1' });
    expect((await client(small.url).send('/jobs/events?jobId=*', { method: 'HEAD' })).status).toBe(200);
    const reader = await watch('jobId=*', {}, small.url);
    const refused = await client(small.url).send('/jobs/events?jobId=*');
    expect([refused.status, refused.body]).toMatchObject([503, { code: 'too_many_streams' }]);
    reader.vanish();
    const again = await eventually(async () => {
      const next = await watch('jobId=*', {}, small.url);
      if (next.status === 200) return next;
      next.vanish();
      return null;
    });
    again.vanish();
  });
});

describe('resuming', () => {
  it('goes on after the event named, by header or by query', async () => {
    const reader = await watch('jobId=*');
    const ids = await publishFacts(5);
    await reader.until((frames) => frames.length === 5);
    const third = reader.frames[2]?.id ?? '';
    const expected = reader.frames.slice(3);
    const byHeader = await watch('jobId=*', resumeAt(third));
    const byQuery = await watch(`jobId=${ids.join(',')}&lastEventId=${third}`);
    for (const resumed of [byHeader, byQuery]) {
      await resumed.until((frames) => frames.length === 2);
      expect(resumed.frames).toEqual(expected);
      resumed.vanish();
    }
    reader.vanish();
  });

  it('ignores what is no event id', async () => {
    for (const id of ['garbage', '%00', '12345', 'abc-', '-1', 'x'.repeat(2_000)]) {
      const reader = await watch('jobId=*', resumeAt(id));
      const [jobId] = await publishFacts(1);
      await reader.until((frames) => frames.length === 1);
      expect(reader.frames.map(jobIdOf)).toEqual([jobId]);
      reader.vanish();
    }
  });

  it('replays what a gateway never saw from the stream, and joins the live events without gap or repeat', async () => {
    const first = await watch('jobId=*');
    await publishFacts(1);
    await first.until((frames) => frames.length === 1);
    first.vanish();
    const before = await publishFacts(700);
    const fresh = await system.startGateway();

    const readers = await Promise.all(
      Array.from({ length: 8 }, () => watch('jobId=*', resumeAt(first.lastEventId()), fresh.url)),
    );
    const during: string[] = [];
    for (let burst = 0; burst < 10; burst += 1) during.push(...(await publishFacts(50)));
    const wanted = new Set([...before, ...during]);
    for (const reader of readers) {
      const frames = await reader.until(({ length }) => length >= wanted.size);
      expect(frames).toHaveLength(wanted.size);
      expect(new Set(frames.map(jobIdOf))).toEqual(wanted);
      expect(increasing(sequencesOf(frames))).toBe(true);
      reader.vanish();
    }
  });

  it('says resync once for another epoch, and goes on live', async () => {
    const reader = await watch('jobId=*', resumeAt('0000abcd-1'));
    await publishFacts(1);
    await reader.until((frames) => frames.length === 2);
    expect(reader.frames.map(({ event, id }) => [event, id === null])).toEqual([
      ['resync', true],
      ['job_created', false],
    ]);
    expect(reader.frames[0]?.data).toMatchObject({ type: 'resync', reason: expect.any(String) });
    reader.vanish();
  });

  it('says resync for events that are no longer kept, and for events that never were', async () => {
    const witness = await watch('jobId=*');
    await publishFacts(3);
    await witness.until((frames) => frames.length === 3);
    const [oldest = ''] = witness.frames.map(({ id }) => id ?? '');
    const [epoch] = oldest.split('-');
    await system.bus.jsm.streams.purge('JOBS', { keep: 1 });
    const fresh = await system.startGateway();
    for (const id of [oldest, `${epoch}-999999999`]) {
      const reader = await watch('jobId=*', resumeAt(id), fresh.url);
      await reader.until((frames) => frames.length === 1);
      const [jobId] = await publishFacts(1);
      await reader.until((frames) => frames.length === 2);
      expect(reader.frames[0]?.event).toBe('resync');
      expect(reader.frames.slice(1).map(jobIdOf)).toEqual([jobId]);
      reader.vanish();
    }
    witness.vanish();
  });

  it('says resync to everyone when the stream is made anew', async () => {
    const reader = await watch('jobId=*');
    await publishFacts(2);
    await reader.until((frames) => frames.length === 2);
    const old = reader.lastEventId();
    await system.bus.jsm.streams.delete('JOBS');
    await system.bus.restore();
    await reader.until((frames) => frames.some(({ event }) => event === 'resync'));
    const [jobId] = await publishFacts(1);
    await reader.until((frames) => frames.length === 4);
    expect(reader.frames.map(({ event }) => event)).toEqual([
      'job_created',
      'job_created',
      'resync',
      'job_created',
    ]);
    expect(reader.frames.slice(3).map(jobIdOf)).toEqual([jobId]);
    expect(reader.lastEventId().split('-')[0]).not.toBe(old.split('-')[0]);
    reader.vanish();
  });
});

describe('readers that do not keep up', () => {
  it('are closed when they stop reading, and miss nothing when they resume', async () => {
    const impatient = await system.startGateway({ SSE_STALL_MS: '300' });
    const slow = await watch('jobId=*', {}, impatient.url);
    const quick = await watch('jobId=*', {}, impatient.url);
    const published = await publishFacts(1);
    await slow.until((frames) => frames.length === 1);
    slow.pause();
    const closed = openStreamsAre(1).then(() => true);
    while (!(await Promise.race([closed, false]))) {
      published.push(...(await publishFacts(100, { padding: 100_000 })));
      await quick.until((frames) => frames.length === published.length);
    }
    slow.resume();
    await slow.ended;
    expect(slow.frames.length).toBeLessThan(published.length);

    const resumed = await watch('jobId=*', resumeAt(slow.lastEventId()), impatient.url);
    const missing = published.length - slow.frames.length;
    await resumed.until((frames) => frames.length >= missing);
    expect([...slow.frames, ...resumed.frames].map(jobIdOf)).toEqual(quick.frames.map(jobIdOf));
    expect(new Set(quick.frames.map(jobIdOf))).toEqual(new Set(published));
    resumed.vanish();
    quick.vanish();
  });
});

describe('a thousand readers', () => {
  it('that vanish leave nothing behind', async () => {
    const { url: busy } = await system.startGateway();
    await openStreamsAre(0);
    const timersBefore = process.getActiveResourcesInfo().length;
    for (let round = 0; round < 2; round += 1) {
      const readers = await Promise.all(
        Array.from({ length: 500 }, (_, n) => watch(n % 2 ? 'jobId=*' : `jobId=${uuidv7()}`, {}, busy)),
      );
      await openStreamsAre(500);
      for (const reader of readers.slice(0, 100)) reader.pause();
      await publishFacts(20);
      for (const reader of readers) reader.vanish();
      await openStreamsAre(0);
    }
    await eventually(() => (process.getActiveResourcesInfo().length <= timersBefore + 5 ? true : null));
    const last = await watch('jobId=*', {}, busy);
    const [jobId] = await publishFacts(1);
    await last.until((frames) => frames.length === 1);
    expect(last.frames.map(jobIdOf)).toEqual([jobId]);
    last.vanish();
  });
});

describe('stopping', () => {
  it('asks clients to come back in a second, ends their streams, and leaves nothing behind', async () => {
    const passing = await system.startGateway();
    const readers = await Promise.all(Array.from({ length: 20 }, () => watch('jobId=*', {}, passing.url)));
    await shutDown(passing.stop, system.world.log);
    for (const reader of readers) {
      await reader.ended;
      expect(reader.text()).toBe(': connected\n\nretry: 1000\n\n');
    }
    await expect(fetch(`${passing.url}/healthz`)).rejects.toThrow();
  });
});
