import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { environmentOf } from './environment.ts';
import { findKustomize, type KubernetesObject, render } from './kustomize.ts';
import { canReach, type Labels } from './network.ts';
import { schemaFaults } from './schemas.ts';
import { type Container, containersOf, type PodTemplate, workloadsOf } from './workloads.ts';

const OVERLAYS = ['local', 'local-only', 'ci', 'production'] as const;
const SERVICES = ['gateway', 'jobs', 'actions', 'config', 'worker'];
/** What every service promises to need at most to stop, in s (design: within its grace time). */
const STOP_S = 10;
/** Fetching kustomize for the first time, in ms. */
const FETCH_MS = 600_000;

let kustomize: readonly string[];
beforeAll(async () => {
  kustomize = await findKustomize();
}, FETCH_MS);

type Manifest = { readonly objects: readonly KubernetesObject[]; readonly pods: readonly PodTemplate[] };

const of = (objects: readonly KubernetesObject[], kind: string) => objects.filter((one) => one.kind === kind);
const dataOf = (objects: readonly KubernetesObject[], prefix: string) =>
  of(objects, 'ConfigMap').find(({ metadata }) => metadata.name.startsWith(prefix))?.data as
    | Labels
    | undefined;
const named = (objects: readonly KubernetesObject[], kind: string, name: string) =>
  of(objects, kind).find(({ metadata }) => metadata.name === name);

describe.each(OVERLAYS)('the overlay %s', (overlay) => {
  let manifest: Manifest;
  beforeAll(async () => {
    const objects = await render(kustomize, `overlays/${overlay}`);
    manifest = { objects, pods: workloadsOf(objects) };
  });

  /** One line for each container that breaks a rule, so that a failure names it. */
  const breaking = (rule: (container: Container, pod: PodTemplate) => boolean) =>
    manifest.pods.flatMap((pod) =>
      containersOf(pod)
        .filter((container) => !rule(container, pod))
        .map((container) => `${pod.name}/${container.name}`),
    );

  it('holds only what the schemas of Kubernetes and KEDA allow', () => {
    const faults = manifest.objects.flatMap((object) =>
      schemaFaults(object).map((fault) => `${object.kind}/${object.metadata.name}: ${fault}`),
    );
    expect(faults).toEqual([]);
    expect(manifest.pods.map(({ name }) => name)).toEqual(expect.arrayContaining(SERVICES));
  });

  it('runs nothing as root, with a writable root or with a privilege', () => {
    expect(
      breaking(
        ({ securityContext: own = {} }, { spec: { securityContext: pod = {} } }) =>
          (own.runAsNonRoot ?? pod.runAsNonRoot) === true &&
          (own.runAsUser ?? pod.runAsUser ?? 0) > 0 &&
          (own.seccompProfile ?? pod.seccompProfile)?.type === 'RuntimeDefault' &&
          own.allowPrivilegeEscalation === false &&
          own.readOnlyRootFilesystem === true &&
          own.capabilities?.drop?.includes('ALL') === true &&
          !own.capabilities.add,
      ),
    ).toEqual([]);
  });

  it('names the version of every image, and pulls none that is there', () => {
    const pinned = /^[^:@]+(:[0-9]+\/[^:@]+)?:(?!latest$)[A-Za-z0-9._-]+(@sha256:[0-9a-f]{64})?$/;
    expect(
      breaking(({ image, imagePullPolicy }) => pinned.test(image) && imagePullPolicy !== 'Always'),
    ).toEqual([]);
  });

  it('sets requests and limits of CPU and memory', () => {
    expect(
      breaking(({ resources }) =>
        (['requests', 'limits'] as const).every((what) => resources?.[what]?.cpu && resources[what]?.memory),
      ),
    ).toEqual([]);
  });

  it('probes start, life and readiness of whatever opens a port', () => {
    expect(
      breaking(
        ({ ports, startupProbe, livenessProbe, readinessProbe }) =>
          !ports || Boolean(startupProbe && livenessProbe && readinessProbe),
      ),
    ).toEqual([]);
  });

  it('gives each workload its own account, without a token, and a disruption budget', () => {
    for (const { name, spec, labels } of manifest.pods) {
      expect(spec.serviceAccountName).toBe(name);
      expect(spec.automountServiceAccountToken).toBe(false);
      expect(named(manifest.objects, 'ServiceAccount', name)?.automountServiceAccountToken).toBe(false);
      const budget = named(manifest.objects, 'PodDisruptionBudget', name)?.spec as {
        maxUnavailable: number;
        selector: { matchLabels: Labels };
      };
      expect(budget.maxUnavailable).toBe(1);
      expect(labels).toMatchObject(budget.selector.matchLabels);
      expect(spec.topologySpreadConstraints?.length).toBe(2);
    }
  });

  it('waits before and during a stop for as long as the service may need', () => {
    for (const { name, spec } of manifest.pods.filter((pod) => SERVICES.includes(pod.name))) {
      const sleep = spec.containers[0]?.lifecycle?.preStop?.sleep?.seconds ?? 0;
      expect(sleep, name).toBeGreaterThanOrEqual(name === 'gateway' ? 10 : 30);
      expect(spec.terminationGracePeriodSeconds, name).toBeGreaterThanOrEqual(sleep + STOP_S);
    }
  });

  it('replaces a service only by one that is ready', () => {
    for (const { metadata, spec } of of(manifest.objects, 'Deployment')) {
      const { strategy } = spec as { strategy: object };
      expect(strategy, metadata.name).toEqual({
        type: 'RollingUpdate',
        rollingUpdate: { maxUnavailable: 0, maxSurge: 1 },
      });
    }
  });

  it('closes the network but for what is named', () => {
    const policies = of(manifest.objects, 'NetworkPolicy');
    expect(named(policies, 'NetworkPolicy', 'deny-all')?.spec).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    });
    const podOf = (name: string) => manifest.pods.find((pod) => pod.name === name) as PodTemplate;
    const reach = (from: string, to: string, port: number) =>
      canReach(policies, podOf(from).labels, podOf(to).labels, port);
    for (const { name, spec } of manifest.pods) {
      for (const { containerPort } of spec.containers.flatMap(({ ports }) => ports ?? [])) {
        const open = canReach(policies, null, podOf(name).labels, containerPort);
        expect(open, `${name}:${containerPort} is in no policy`).toBe(true);
      }
      for (const { value = '' } of spec.containers.flatMap(({ env }) => env ?? [])) {
        const [, host = '', port = ''] = /^(jobs|actions|config|worker):(\d+)$/.exec(value) ?? [];
        if (host) expect(reach(name, host, Number(port)), `${name} to ${host}`).toBe(true);
      }
    }
    for (const service of SERVICES) expect(reach(service, 'nats', 4222), service).toBe(true);
    expect(reach('worker', 'mongodb', 27017)).toBe(false);
    expect(reach('jobs', 'worker', 50054)).toBe(false);
    expect(reach('nats', 'mongodb', 27017)).toBe(false);
  });

  it('serves gRPC on headless services, for callers that balance themselves', () => {
    for (const name of SERVICES.filter((one) => one !== 'gateway')) {
      expect(named(manifest.objects, 'Service', name)?.spec).toMatchObject({ clusterIP: 'None' });
    }
  });

  it('gives each service an environment that it takes', async () => {
    // Production's Secrets are made by its operators; those of `local` have the same names and shapes.
    const secrets = of(await render(kustomize, 'overlays/local'), 'Secret').map((secret) => ({
      ...secret,
      metadata: { name: secret.metadata.name.replace(/-[a-z0-9]{10}$/, '') },
    }));
    for (const pod of manifest.pods.filter(({ name }) => SERVICES.includes(name))) {
      const environment = environmentOf(pod, [...manifest.objects, ...secrets]);
      const { loadConfig } = (await import(`../../services/${pod.name}/src/config.ts`)) as {
        loadConfig: (env: NodeJS.ProcessEnv) => Readonly<Record<string, unknown>>;
      };
      expect(() => loadConfig({ NODE_ENV: 'production', ...environment }), pod.name).not.toThrow();
    }
  });

  it('has no secret in a variable', () => {
    const suspicious = /PASSWORD|SECRET|TOKEN|_KEYS?(_ID)?$/;
    expect(
      breaking(({ env = [] }) => env.every(({ name, value }) => !suspicious.test(name) || !value)),
    ).toEqual([]);
    for (const { data } of of(manifest.objects, 'ConfigMap')) {
      expect(Object.keys(data as object).filter((name) => suspicious.test(name))).toEqual([]);
    }
  });

  it('refers only to ConfigMaps, volumes and, but in production, Secrets that it has', () => {
    const missing: string[] = [];
    const need = (kind: string, name: string | undefined) => {
      if (name && !named(manifest.objects, kind, name)) missing.push(`${kind}/${name}`);
    };
    for (const pod of manifest.pods) {
      for (const { env = [], envFrom = [] } of containersOf(pod)) {
        for (const { configMapRef } of envFrom) need('ConfigMap', configMapRef?.name);
        for (const { valueFrom } of env) {
          need('ConfigMap', valueFrom?.configMapKeyRef?.name);
          const secret = valueFrom?.secretKeyRef;
          if (overlay !== 'production' && !secret?.optional) need('Secret', secret?.name);
        }
      }
      for (const { configMap, persistentVolumeClaim } of pod.spec.volumes ?? []) {
        need('ConfigMap', configMap?.name);
        need('PersistentVolumeClaim', persistentVolumeClaim?.claimName);
      }
    }
    expect(missing).toEqual([]);
  });
});

describe('production', () => {
  let objects: readonly KubernetesObject[];
  beforeAll(async () => {
    objects = await render(kustomize, 'overlays/production');
  });

  it('holds no secret', () => {
    expect(of(objects, 'Secret')).toEqual([]);
  });

  it('needs no Secret that docs/install.md does not make', async () => {
    const install = await readFile(new URL('../../docs/install.md', import.meta.url), 'utf8');
    const made = (name: string, key: string) =>
      new RegExp(`secret ${name}\\b(?:(?!\\n +secret )[^])*--from-(?:literal|file)=${key}=`).test(install);
    const needed = workloadsOf(objects)
      .flatMap(containersOf)
      .flatMap(({ env = [] }) => env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []));
    expect(needed.length).toBeGreaterThan(10);
    expect(needed.filter(({ name, key }) => !made(name, key))).toEqual([]);
  });

  it('has at least two of each service and three of each server', () => {
    const least = (name: string): number => {
      const scaled = of(objects, 'HorizontalPodAutoscaler').concat(of(objects, 'ScaledObject'));
      const scaler = scaled.find(({ metadata }) => metadata.name === name)?.spec as
        | { minReplicas?: number; minReplicaCount?: number }
        | undefined;
      const workload = objects.find(
        ({ kind, metadata }) => /^(Deployment|StatefulSet)$/.test(kind) && metadata.name === name,
      );
      const replicas = (workload?.spec as { replicas?: number } | undefined)?.replicas;
      // An autoscaler and a fixed number would overrule each other with every `apply`.
      if (scaler) expect(replicas, name).toBeUndefined();
      return scaler?.minReplicas ?? scaler?.minReplicaCount ?? replicas ?? 1;
    };
    for (const service of SERVICES) expect(least(service), service).toBeGreaterThanOrEqual(2);
    for (const server of ['nats', 'mongodb']) expect(least(server), server).toBe(3);
    expect(dataOf(objects, 'environment-')).toMatchObject({ NATS_REPLICAS: '3' });
  });

  it('has NATS acknowledge what is on disk', () => {
    expect(dataOf(objects, 'nats-')?.['nats.conf']).toMatch(/^ {2}sync_interval: always$/m);
  });

  it('passes event streams through the ingress unbuffered, and for hours', () => {
    const ingress = named(objects, 'Ingress', 'gateway') as
      | { metadata: { annotations?: Labels } }
      | undefined;
    const annotations = ingress?.metadata.annotations;
    expect(annotations).toMatchObject({
      'nginx.ingress.kubernetes.io/proxy-buffering': 'off',
      'nginx.ingress.kubernetes.io/proxy-read-timeout': '3600',
    });
  });
});
