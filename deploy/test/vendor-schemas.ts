/**
 * Writes schemas/*.json, the shapes that rendered objects are held against: what Kubernetes and KEDA publish, less
 * descriptions, and strict, so that a misspelled field is a fault. To move to another version:
 *
 *   go mod download -json k8s.io/kubernetes@v1.34.4 github.com/kedacore/keda/v2@v2.17.2   # prints each "Dir"
 *   node deploy/test/vendor-schemas.ts <Dir of kubernetes> <Dir of keda>
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';

/** Every kind that deploy/ may hold; a new one is added here. */
const KINDS = [
  'v1/ConfigMap',
  'v1/Namespace',
  'v1/PersistentVolumeClaim',
  'v1/Secret',
  'v1/Service',
  'v1/ServiceAccount',
  'apps/v1/DaemonSet',
  'apps/v1/Deployment',
  'apps/v1/StatefulSet',
  'autoscaling/v2/HorizontalPodAutoscaler',
  'batch/v1/CronJob',
  'batch/v1/Job',
  'networking.k8s.io/v1/Ingress',
  'networking.k8s.io/v1/NetworkPolicy',
  'policy/v1/PodDisruptionBudget',
  'rbac.authorization.k8s.io/v1/ClusterRole',
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding',
  'rbac.authorization.k8s.io/v1/Role',
  'rbac.authorization.k8s.io/v1/RoleBinding',
];

type Schema = { [key: string]: unknown };
type Definition = Schema & {
  'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[];
};
type CustomResource = {
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
  };
};

const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null;
const DROPPED = /^(description|default|example|x-kubernetes-.*)$/;

/** `inProperties`: the keys are names of fields, and a field may be called `description`. */
const strict = (value: unknown, inProperties = false): unknown => {
  if (Array.isArray(value)) return value.map((one) => strict(one));
  if (!isSchema(value)) return value;
  if (!inProperties && (value.format === 'int-or-string' || value['x-kubernetes-int-or-string']))
    return { type: ['integer', 'string'] };
  const kept = Object.entries(value)
    .filter(([key]) => inProperties || !DROPPED.test(key))
    .map(([key, inner]) => [key, strict(inner, !inProperties && key === 'properties')]);
  const open = 'additionalProperties' in value || value['x-kubernetes-preserve-unknown-fields'];
  if (!inProperties && value.properties && !open) kept.push(['additionalProperties', false]);
  return Object.fromEntries(kept);
};

const referencesOf = (value: unknown): string[] => {
  if (!isSchema(value)) return [];
  const own = typeof value.$ref === 'string' ? [value.$ref.slice('#/definitions/'.length)] : [];
  return [...own, ...Object.values(value).flatMap(referencesOf)];
};

const kubernetes = (all: Readonly<Record<string, Definition>>): Schema => {
  const kinds: Record<string, Schema> = {};
  const definitions: Schema = {};
  const take = (name: string) => {
    if (name in definitions) return;
    definitions[name] = strict(all[name]);
    referencesOf(all[name]).forEach(take);
  };
  for (const [name, definition] of Object.entries(all)) {
    for (const { group, version, kind } of definition['x-kubernetes-group-version-kind'] ?? []) {
      const id = [group, version, kind].filter(Boolean).join('/');
      if (!KINDS.includes(id)) continue;
      kinds[id] = { $ref: `#/definitions/${name}` };
      take(name);
    }
  }
  return { kinds, definitions };
};

const customResources = (all: readonly CustomResource[]): Schema => {
  const kinds = all.flatMap(({ spec }) =>
    spec.versions.map(({ name, schema }) => {
      // The API server checks the metadata of every kind itself.
      const { properties, ...rest } = strict(schema.openAPIV3Schema) as { properties: Schema };
      return [
        `${spec.group}/${name}/${spec.names.kind}`,
        { ...rest, properties: { ...properties, metadata: {} } },
      ];
    }),
  );
  return { kinds: Object.fromEntries(kinds), definitions: {} };
};

const [kubernetesFolder = '', kedaFolder = ''] = process.argv.slice(2);
const write = (name: string, schema: Schema) =>
  writeFile(join(import.meta.dirname, 'schemas', name), `${JSON.stringify(schema)}\n`);
const swagger = await readFile(join(kubernetesFolder, 'api/openapi-spec/swagger.json'), 'utf8');
const { definitions } = JSON.parse(swagger) as { definitions: Record<string, Definition> };
await write('kubernetes-1.34.json', kubernetes(definitions));
const scaledObjects = await readFile(join(kedaFolder, 'config/crd/bases/keda.sh_scaledobjects.yaml'), 'utf8');
await write('keda-2.17.json', customResources([parse(scaledObjects) as CustomResource]));
