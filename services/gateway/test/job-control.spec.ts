import { randomUUID } from 'node:crypto';
import { publish } from '@esl/kit/publish';
import { eventually } from '@esl/kit/testing/world';
import {
  artifactListSchema,
  type Job,
  jobListSchema,
  jobSchema,
  timelineSchema,
} from '@esl-pipeline/contracts';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import { ArtifactKind } from '@esl-pipeline/contracts/esl/jobs/v1/job';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { client, expectProblem, type GatewayWorld, openGatewayWorld, stranger } from './gateway-world.ts';

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

const everyone = { reach: { case: 'everyone', value: true } } as const;
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
const read = async (jobId: string): Promise<Job> => jobSchema.parse((await http.send(`/jobs/${jobId}`)).body);
const cancelled = async (): Promise<string> => {
  const jobId = await http.submit('lesson.md', { runAt: inAnHour() });
  await system.jobs.cancelJob({ scope: everyone, jobId });
  return jobId;
};
const patch = (jobId: string, body: unknown) =>
  http.send(`/jobs/${jobId}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

describe('a job for later', () => {
  it('waits for its time, which may be given in any zone', async () => {
    const utc = inAnHour();
    const inIndia = new Date(Date.parse(utc) + 5.5 * 3_600_000).toISOString().replace('Z', '+05:30');
    const jobId = await http.submit('lesson.md', { runAt: inIndia, priority: 'low' });
    expect(await read(jobId)).toMatchObject({ state: 'queued', runAt: utc, priority: 'low' });
  });

  it('can be moved while it waits, in time and in line', async () => {
    const jobId = await http.submit('lesson.md', { runAt: inAnHour() });
    const runAt = new Date(Date.now() + 7_200_000).toISOString();
    const moved = await patch(jobId, { runAt });
    expect(moved.status).toBe(200);
    expect(jobSchema.strict().parse(moved.body)).toMatchObject({ jobId, runAt, priority: 'normal' });
    expect((await patch(jobId, { priority: 'high' })).body).toMatchObject({ runAt, priority: 'high' });
    expect(await read(jobId)).toMatchObject({ runAt, priority: 'high' });
  });

  it.each([
    [400, 'invalid_body', []],
    [400, 'empty_edit', {}],
    [400, 'empty_edit', { state: 'running' }],
    [400, 'invalid_run_at', { runAt: null }],
    [400, 'invalid_run_at', { runAt: 'soon' }],
    [400, 'invalid_priority', { priority: 1 }],
  ])('cannot be moved so: %i %s %j', async (status, code, body) => {
    expectProblem(await patch(await http.submit('lesson.md', { runAt: inAnHour() }), body), status, code);
  });

  it('cannot be moved once it has ended, nor when it is not there', async () => {
    expectProblem(await patch(await cancelled(), { priority: 'high' }), 422, 'invalid_state');
    for (const id of [uuidv7(), 'x']) expectProblem(await patch(id, { priority: 'high' }), 404, 'not_found');
  });
});

describe('a job that is tried again', () => {
  it('becomes a new job, once for each key', async () => {
    const parentJobId = await cancelled();
    const headers = { 'idempotency-key': randomUUID() };
    const first = await http.post(`/jobs/${parentJobId}/retry`, undefined, headers);
    expect(first.status).toBe(202);
    const { jobId } = first.body as { jobId: string };
    expect((await http.post(`/jobs/${parentJobId}/retry`, undefined, headers)).body).toEqual({ jobId });
    expect(await read(jobId)).toMatchObject({ parentJobId, md: 'lesson.md', state: 'queued', attempt: 0 });
    const children = jobListSchema.parse((await http.send(`/jobs?parentJobId=${parentJobId}`)).body);
    expect(children.total).toBe(1);
  });

  it('must have ended without success', async () => {
    const jobId = await http.submit('lesson.md', { runAt: inAnHour() });
    const answer = await http.post(`/jobs/${jobId}/retry`, {});
    expectProblem(answer, 422, 'invalid_state');
    expectProblem(await http.post(`/jobs/${uuidv7()}/retry`, {}), 404, 'not_found');
  });
});

describe('the page of a job', () => {
  it('tells what happened to it, in order', async () => {
    const jobId = await http.submit('lesson.md', { runAt: inAnHour() });
    await patch(jobId, { priority: 'high' });
    await system.jobs.cancelJob({ scope: everyone, jobId, reason: 'enough', actor: 'anonymous' });
    const { entries } = timelineSchema.strict().parse((await http.send(`/jobs/${jobId}/timeline`)).body);
    expect(
      entries.map((entry) => (entry.kind === 'action' ? entry.type : 'state' in entry && entry.state)),
    ).toEqual(['submit', 'queued', 'reschedule', 'cancel', 'cancelled']);
    expect(entries.map(({ at }) => at)).toEqual(entries.map(({ at }) => at).toSorted());
    expectProblem(await http.send(`/jobs/${uuidv7()}/timeline`), 404, 'not_found');
  });

  it('lists what it made, with links that work', async () => {
    const jobId = await http.submit('lesson.md');
    expect((await http.send(`/jobs/${jobId}/artifacts`)).body).toEqual({ artifacts: [] });
    await eventually(async () => {
      const { outcome } = await system.jobs.claimRun({ jobId, workerId: 'w1' });
      return outcome.case === 'claimed' ? true : null;
    });
    const sha256 = 'a'.repeat(64);
    await publish(system.bus, CHANNELS.runSucceeded, jobId, {
      jobId,
      attempt: 1,
      result: {
        artifacts: [
          { kind: ArtifactKind.PAGE, url: 'https://notion.example/page', contentType: 'text/html' },
          { kind: ArtifactKind.AUDIO, key: 'audio/ab/x.mp3', contentType: 'audio/mpeg', bytes: 12n, sha256 },
        ],
      },
    });
    await eventually(async () => ((await read(jobId)).state === 'succeeded' ? true : null));
    const { artifacts } = artifactListSchema
      .strict()
      .parse((await http.send(`/jobs/${jobId}/artifacts`)).body);
    const job = await read(jobId);
    expect(artifacts).toEqual([
      { kind: 'page', url: 'https://notion.example/page', contentType: 'text/html', bytes: 0, sha256: null },
      { kind: 'audio', url: job.audioUrl, contentType: 'audio/mpeg', bytes: 12, sha256 },
    ]);
    const { entries } = timelineSchema.parse((await http.send(`/jobs/${jobId}/timeline`)).body);
    expect(entries).toContainEqual(
      expect.objectContaining({ kind: 'attempt', attempt: 1, outcome: 'succeeded' }),
    );
    expectProblem(await http.send(`/jobs/${uuidv7()}/artifacts`), 404, 'not_found');
  });

  it('is nobody else’s', async () => {
    const id = uuidv7();
    await system.jobs.createJobs({
      jobs: [{ id, ownerId: 'someone-else', spec: { md: 'a.md', lessonKey: 'lessons/a.md' } }],
    });
    const other = await stranger(url);
    const mine = await http.submit('lesson.md', { runAt: inAnHour() });
    expectProblem(await other.send(`/jobs/${mine}/timeline`), 404, 'not_found');
    expectProblem(await other.send(`/jobs/${mine}/artifacts`), 404, 'not_found');
    expectProblem(await other.post(`/jobs/${mine}/retry`, {}), 404, 'not_found');
    for (const path of [`/jobs/${id}/timeline`, `/jobs/${id}/artifacts`])
      expectProblem(await http.send(path), 404, 'not_found');
    expectProblem(await http.post(`/jobs/${id}/retry`, {}), 404, 'not_found');
    expectProblem(await patch(id, { priority: 'high' }), 404, 'not_found');
  });
});

describe('looking for jobs', () => {
  it('finds them by priority and by words', async () => {
    const word = `w${randomUUID().slice(0, 8)}`;
    await system.writeLesson(`${word} parcel.md`);
    const jobId = await http.submit(`${word} parcel.md`, { priority: 'high' });
    await http.submit('lesson.md', { priority: 'high' });
    const find = async (query: string) =>
      jobListSchema.parse((await http.send(`/jobs?${query}`)).body).jobs.map((job) => job.jobId);
    expect(await find(`q=${word}`)).toEqual([jobId]);
    expect(await find(`q=PARCEL%20${word}&priority=high`)).toEqual([jobId]);
    expect(await find(`q=${word}&priority=low`)).toEqual([]);
    expect(await find(`q=${word}%20nowhere`)).toEqual([]);
  });
});
