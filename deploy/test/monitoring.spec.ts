import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder, onPath } from '@esl/local/fetch-program';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findKustomize, type KubernetesObject, render } from './kustomize.ts';
import { alerts, dashboards, expressions, operatorRules, plainRules, rules } from './monitoring.ts';
import { readPromQl } from './promql.ts';
import { containersOf, workloadsOf } from './workloads.ts';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url);
const component = fileURLToPath(new URL('../components/monitoring', import.meta.url));
const tracing = fileURLToPath(new URL('../components/tracing', import.meta.url));

describe('the alerts', () => {
  it('are the same for a Prometheus of one’s own and for its operator', () => {
    expect(operatorRules).toEqual(plainRules);
  });

  it.each(alerts.map((alert) => [alert.alert ?? '', alert] as const))('%s says what to do', (name, alert) => {
    expect(['critical', 'warning']).toContain(alert.labels?.severity);
    const { summary, description, runbook_url: page = '' } = alert.annotations ?? {};
    expect(summary).toBeTruthy();
    expect(description).toBeTruthy();
    expect(page).toMatch(/^docs\/runbooks\/[a-z-]+\.md$/);
    expect(readFileSync(new URL(page, root), 'utf8')).toContain(`\`${name}\``);
  });

  it('read only what is measured or recorded, never what they record themselves in a circle', () => {
    const recorded = new Set(rules.flatMap(({ record }) => record ?? []));
    for (const { record, expr } of rules)
      for (const { metric } of readPromQl(expr))
        if (metric.includes(':')) {
          expect(recorded, metric).toContain(metric);
          expect(record, metric).toBeUndefined();
        }
  });
});

describe('every expression', () => {
  it.each(expressions)('of %s is PromQL', (_, expression) => {
    expect(readPromQl(expression).length).toBeGreaterThan(0);
  });

  it('that is none is refused', () => {
    expect(() => readPromQl('sum(rate(esl_jobs[5m])')).toThrow(/no PromQL/);
  });
});

describe('the dashboards', () => {
  it.each(dashboards)(
    '%s has panels that do not overlap, each with a unit and a query',
    (_, { uid, panels }) => {
      expect(uid).toMatch(/^esl-/);
      const cells = new Set<string>();
      for (const { gridPos, targets, fieldConfig, datasource, title } of panels) {
        expect(title).toBeTruthy();
        expect(fieldConfig.defaults.unit).toBeTruthy();
        expect(datasource.uid).toMatch(/^\$\{datasource\}$/);
        expect(targets.length).toBeGreaterThan(0);
        expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
            expect(cells.has(`${x} ${y}`)).toBe(false);
            cells.add(`${x} ${y}`);
          }
      }
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    },
  );
});

describe('the components', () => {
  let folder: string;
  let objects: readonly KubernetesObject[];
  beforeAll(async () => {
    folder = await mkdtemp(fileURLToPath(new URL('../overlays/.spec-', import.meta.url)));
    const lines = [
      'resources: [../../base]',
      `components: [${relative(folder, component)}, ${relative(folder, tracing)}]`,
      'namespace: esl',
    ];
    await writeFile(
      join(folder, 'kustomization.yaml'),
      ['apiVersion: kustomize.config.k8s.io/v1beta1', 'kind: Kustomization', ...lines].join('\n'),
    );
    objects = await render(
      await findKustomize(),
      relative(fileURLToPath(new URL('../', import.meta.url)), folder),
    );
  }, 600_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('scrapes a port that every service has', () => {
    const monitor = objects.find(({ kind }) => kind === 'PodMonitor') as
      | {
          spec: {
            selector: { matchExpressions: { values: string[] }[] };
            podMetricsEndpoints: { port: string }[];
          };
        }
      | undefined;
    const [names] = monitor?.spec.selector.matchExpressions ?? [];
    const [endpoint] = monitor?.spec.podMetricsEndpoints ?? [];
    for (const pod of workloadsOf(objects)) {
      expect(names?.values).toContain(pod.name);
      const ports = containersOf(pod).flatMap(
        ({ ports: these = [] }) => these as readonly { name?: string }[],
      );
      expect(ports.map(({ name }) => name)).toContain(endpoint?.port);
    }
  });

  it('brings rules, and dashboards where Grafana looks for them', () => {
    expect(objects.filter(({ kind }) => kind === 'PrometheusRule')).toHaveLength(1);
    const config = objects.find(({ metadata }) => metadata.name === 'esl-dashboards') as
      | { data: Record<string, string>; metadata: { labels: Record<string, string> } }
      | undefined;
    expect(config?.metadata.labels.grafana_dashboard).toBe('1');
    expect(Object.keys(config?.data ?? {}).sort()).toEqual(dashboards.map(([name]) => name).sort());
  });

  it('send traces to a collector that the network lets them reach', () => {
    const environment = objects.find(({ metadata }) => metadata.name.startsWith('environment-')) as
      | { data: Record<string, string> }
      | undefined;
    const { port } = new URL(environment?.data.OTEL_EXPORTER_OTLP_ENDPOINT ?? '');
    const policy = objects.find(({ metadata }) => metadata.name === 'traces') as
      | { spec: { egress: { ports: { port: number }[] }[] } }
      | undefined;
    expect(policy?.spec.egress.flatMap(({ ports }) => ports.map((each) => String(each.port)))).toEqual([
      port,
    ]);
  });
});

/** Built from source it takes minutes: it is used where it is there (docs/operations.md), and nothing is fetched. */
const promtool = (() => {
  const cached = join(cacheFolder(process.env), 'promtool');
  return onPath('promtool', process.env) ?? (existsSync(cached) ? cached : null);
})();

describe.skipIf(!promtool)('by promtool', () => {
  const tool = (...args: string[]) => run(promtool ?? '', args, { cwd: component, timeout: 60_000 });

  it('the rules are valid', async () => {
    expect((await tool('check', 'rules', 'esl.rules.yaml')).stdout).toContain('SUCCESS');
  });

  it('each alert fires when it should, and only then', async () => {
    expect((await tool('test', 'rules', 'esl.rules.test.yaml')).stdout).toContain('SUCCESS');
  });
});
