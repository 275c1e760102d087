import { type CollectedSpan, type Collector, startCollector } from '@esl/kit/testing/collector';
import { eventually } from '@esl/kit/testing/world';
import { SERVICES } from '@esl/local/stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sample } from '../services/worker/test/lessons.ts';
import { type System, startSystem } from './system.ts';

let collector: Collector;
let system: System;
let md: string;
beforeAll(async () => {
  collector = await startCollector();
  system = await startSystem({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } });
  md = await system.putLesson('parcel.md', await sample('the-lost-parcel'));
}, 120_000);
afterAll(async () => {
  await system?.stop();
  await collector?.stop();
});

const named = (spans: readonly CollectedSpan[], name: string) => spans.filter((span) => span.name === name);

/** The trace of a job, once its last event was handed out and its services have sent what they recorded. */
const traceOfJob = (jobId: string): Promise<readonly CollectedSpan[]> =>
  eventually(async () => {
    const { finishedAt } = await system.job(jobId);
    const [run] = named(collector.spans, 'run lesson').filter(
      ({ attributes }) => attributes['esl.job.id'] === jobId,
    );
    if (!finishedAt || !run) return null;
    const trace = collector.traceOf(run.traceId);
    return isWhole(trace) ? trace : null;
  }, 30_000);

/** Services send what they recorded once a second, each in its own time: every call has its answerer, every message its reader. */
const isWhole = (trace: readonly CollectedSpan[]): boolean => {
  const parents = new Set(trace.map(({ parentSpanId }) => parentSpanId));
  const [CLIENT, PRODUCER] = [3, 4];
  const leads = trace.filter(
    ({ kind, attributes }) => kind === PRODUCER || (kind === CLIENT && 'rpc.method' in attributes),
  );
  const moves = named(trace, 'publish job.state_changed.*').length;
  return (
    moves >= 2 &&
    rootsIn(trace).length > 0 &&
    leads.every(({ spanId, attributes }) => parents.has(spanId) || attributes['esl.duplicate'])
  );
};

const rootsIn = (trace: readonly CollectedSpan[]) => trace.filter(({ parentSpanId }) => !parentSpanId);
const orphansIn = (trace: readonly CollectedSpan[]) => {
  const known = new Set(trace.map(({ spanId }) => spanId));
  return trace.filter(({ parentSpanId }) => parentSpanId && !known.has(parentSpanId));
};
const parentOf = (trace: readonly CollectedSpan[], { parentSpanId }: CollectedSpan) =>
  trace.find(({ spanId }) => spanId === parentSpanId);
const servicesIn = (trace: readonly CollectedSpan[]) => new Set(trace.map(({ service }) => service));

describe('the trace of a lesson', () => {
  it('has one root and no orphan, from the request to the last event at the viewers', async () => {
    const jobId = await system.submit({ md: 'parcel.md', withTts: true });
    const trace = await traceOfJob(jobId);
    expect(rootsIn(trace).map(({ name, service }) => [service, name])).toEqual([['gateway', 'POST /jobs']]);
    expect(orphansIn(trace)).toEqual([]);
    const path = [
      'POST /jobs',
      'esl.jobs.v1.JobsService/CreateJobs',
      'publish work.run.normal.*',
      'process work.run.normal.*',
      'run lesson',
      'step validate',
      'esl.config.v1.ConfigService/ResolveSettings',
      'step import',
      'step tts',
      'step manifest',
      'publish run.succeeded.*',
      'process run.succeeded.*',
      'publish job.state_changed.*',
      'deliver job.state_changed.*',
    ];
    for (const name of path) expect([name, named(trace, name).length > 0]).toEqual([name, true]);

    const [step] = named(trace, 'step tts');
    const [run] = named(trace, 'run lesson');
    expect(run && parentOf(trace, run)?.name).toBe('process work.run.normal.*');
    expect(step && parentOf(trace, step)?.name).toBe('run lesson');
    expect(run?.attributes).toMatchObject({ 'esl.job.id': jobId, 'esl.run.end': 'succeeded' });
  });

  it('goes over all five services when an action asked for it', async () => {
    const parentId = await system.submit({ md: 'parcel.md', withTts: true });
    await traceOfJob(parentId);
    const { body } = await system.post(`/jobs/${parentId}/rerun/audio`, { voiceAccent: 'american' });
    const trace = await traceOfJob((body as { jobId: string }).jobId);
    expect(rootsIn(trace).map(({ name }) => name)).toEqual(['POST /jobs/:jobId/rerun/audio']);
    expect(orphansIn(trace)).toEqual([]);
    expect(servicesIn(trace)).toEqual(new Set(SERVICES));
    const action = named(trace, 'esl.actions.v1.ActionsService/Execute');
    expect(servicesIn(action)).toEqual(new Set(['gateway', 'actions']));
  });

  it('is its own, though submissions share calls and writes', async () => {
    const ids = await Promise.all(
      Array.from({ length: 8 }, () => system.submit({ md: 'parcel.md', withTts: false })),
    );
    const traces = await Promise.all(ids.map(traceOfJob));
    expect(new Set(traces.map(([span]) => span?.traceId)).size).toBe(ids.length);
    for (const trace of traces) {
      expect(rootsIn(trace).map(({ name }) => name)).toEqual(['POST /jobs']);
      expect(orphansIn(trace)).toEqual([]);
      expect(named(trace, 'run lesson')).toHaveLength(1);
    }
  });

  it('carries on from the caller’s', async () => {
    const traceId = 'b'.repeat(32);
    const { body } = await system.get('/jobs', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        traceparent: `00-${traceId}-${'c'.repeat(16)}-00`,
        tracestate: 'vendor=value',
      },
      body: JSON.stringify({ md }),
    });
    const { jobId } = body as { jobId: string };
    await eventually(async () => ((await system.job(jobId)).finishedAt ? true : null));
    const trace = await eventually(() => {
      const spans = collector.traceOf(traceId);
      return named(spans, 'POST /jobs').length > 0 && named(spans, 'run lesson').length > 0 ? spans : null;
    });
    expect(named(trace, 'POST /jobs').map(({ parentSpanId }) => parentSpanId)).toEqual(['c'.repeat(16)]);
  });

  it('holds no secret, no lesson and no path', () => {
    const text = JSON.stringify(collector.spans);
    expect(text).not.toMatch(/signature=|My parcel|parcel\.md|\/tmp\//);
    expect(collector.refused).toEqual([]);
  });
});

describe('what belongs to no request', () => {
  it('is not traced: there is no span but below a request', () => {
    const roots = rootsIn(collector.spans).map(({ service }) => service);
    expect(new Set(roots)).toEqual(new Set(['gateway']));
    expect(named(collector.spans, 'esl.jobs.v1.JobsService/RenewRuns')).toEqual([]);
  });
});
