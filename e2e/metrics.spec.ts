import { type Family, parseMetrics } from '@esl/kit/testing/prometheus';
import { eventually } from '@esl/kit/testing/world';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expressions, rules } from '../deploy/test/monitoring.ts';
import { readPromQl } from '../deploy/test/promql.ts';
import { sample } from '../services/worker/test/lessons.ts';
import { type System, startSystem } from './system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.putLesson('small.md', await sample('morning-at-the-harbour'));
  await system.putLesson('broken.md', await sample('broken-lesson'));
}, 120_000);
afterAll(() => system?.stop());

type Scraped = ReadonlyMap<string, readonly Family[]>;

const scrapeAll = async (): Promise<Scraped> => {
  const entries = Object.entries(system.stack.info().services).map(async ([service, { adminUrl }]) => {
    const response = await fetch(`${adminUrl}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    return [service, parseMetrics(await response.text())] as const;
  });
  return new Map(await Promise.all(entries));
};

const seriesIn = (scraped: Scraped) => {
  const names = new Map<string, number>();
  for (const [service, families] of scraped)
    for (const { name, samples } of families) names.set(`${service} ${name}`, samples.length);
  return names;
};

/** Every kind of request there is to make, with ids, names and addresses that differ each time. */
const use = async (round: number) => {
  const ids = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      system.submit({
        md: index % 5 === 0 ? 'broken.md' : 'small.md',
        preset: 'b1-default',
        withTts: index === 1,
      }),
    ),
  );
  for (const jobId of ids)
    await eventually(async () => ((await system.job(jobId)).finishedAt ? true : null), 60_000);
  const unlike = `${round}-${ids[0]}`;
  for (const path of [
    `/jobs/${unlike}`,
    `/nowhere/${unlike}`,
    `/files/pages/${unlike}?signature=${unlike}`,
    `/jobs?preset=${unlike}`,
    '/config/job-options',
  ])
    await system.get(path);
  await system.post('/jobs', { md: `${unlike}.md` });
  await system.post(`/jobs/${ids[2]}/actions`, { type: `cancel-${unlike}` });
  await system.post(`/jobs/${ids[2]}/actions`, { type: 'edit_metadata', payload: { preset: 'calm-blue' } });
  await system.post(`/jobs/${ids[1]}/rerun/audio`, { voiceAccent: round % 2 ? 'american' : 'british' });
  const watcher = await system.watch();
  await eventually(
    async () =>
      ((await system.get('/jobs?state=queued,running')).body as { total: number }).total === 0 || null,
  );
  return watcher;
};

describe('the metrics of every service', () => {
  let first: Scraped;
  let second: Scraped;
  beforeAll(async () => {
    await use(1);
    await use(2);
    first = await scrapeAll();
    await use(3);
    await use(4);
    second = await scrapeAll();
  }, 120_000);

  it('are in the Prometheus text format', () => {
    expect([...second.keys()].sort()).toEqual(['actions', 'config', 'gateway', 'jobs', 'worker']);
  });

  it('hold no id, name or address of anybody', () => {
    const odd = /[0-9a-f]{8}-|[0-9a-f]{16}|@|\/tmp|\.md|anonymous|signature|\d{5}/;
    for (const families of second.values())
      for (const { samples } of families)
        for (const { name, labels } of samples)
          for (const [label, value] of Object.entries(labels))
            if (odd.test(value)) expect.fail(`${name}{${label}="${value}"}`);
  });

  it('are as many after more jobs as before', () => {
    const [before, after] = [seriesIn(first), seriesIn(second)];
    const grown = [...after].filter(([name, count]) => count > (before.get(name) ?? 0));
    expect(grown.filter(([name]) => name.includes(' esl_'))).toEqual([]);
    const total = [...after.values()].reduce((sum, count) => sum + count, 0);
    expect(total).toBeLessThan(5_000);
  });

  it('are named by the conventions', () => {
    for (const families of second.values())
      for (const { name, type } of families.filter((family) => family.name.startsWith('esl_'))) {
        expect(name).toMatch(/^esl_[a-z]+(_[a-z]+)*$/);
        if (type === 'counter') expect(name).toMatch(/_total$/);
        if (type === 'histogram') expect(name).toMatch(/_(seconds|bytes)$/);
        if (type === 'gauge') expect(name).not.toMatch(/_total$/);
      }
  });

  it('tell what went through', () => {
    const value = (service: string, name: string, labels: Record<string, string> = {}) =>
      second
        .get(service)
        ?.find((family) => family.name === name)
        ?.samples.filter((one) => Object.entries(labels).every(([key, wanted]) => one.labels[key] === wanted))
        .reduce((sum, one) => sum + one.value, 0);
    expect(value('jobs', 'esl_jobs_ended_total', { state: 'failed', fault: 'user' })).toBe(8);
    expect(value('jobs', 'esl_jobs_ended_total', { state: 'failed', fault: 'system' })).toBe(0);
    expect(value('jobs', 'esl_consumer_pending', { stream: 'WORK' })).toBe(0);
    expect(value('jobs', 'esl_stream_messages', { stream: 'DEAD' })).toBe(0);
    expect(value('jobs', 'esl_jobs', { state: 'queued' })).toBe(0);
    expect(value('jobs', 'esl_outbox_oldest_seconds')).toBeLessThan(60);
    expect(value('gateway', 'esl_sse_connections')).toBe(4);
    expect(value('gateway', 'esl_http_seconds', { route: 'none' })).toBeGreaterThan(0);
    expect(value('worker', 'esl_runs_under_way')).toBe(0);
    expect(value('worker', 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
  });

  it('are all that alerts and dashboards look at', () => {
    const families = new Map([...second.values()].flat().map((family) => [family.name, family]));
    const recorded = new Set(rules.flatMap(({ record }) => record ?? []));
    const familyOf = (metric: string) =>
      families.get(metric) ?? families.get(metric.replace(/_(bucket|sum|count)$/, ''));
    for (const [where, expression] of expressions)
      for (const { metric, labels } of readPromQl(expression)) {
        if (recorded.has(metric)) continue;
        const family = familyOf(metric);
        expect(family, `${metric}, in ${where}`).toBeDefined();
        const [seen] = family?.samples ?? [];
        if (seen) for (const label of labels) expect(Object.keys(seen.labels), where).toContain(label);
      }
  });
});
