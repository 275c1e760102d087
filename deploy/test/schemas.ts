import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject } from 'ajv';
import type { KubernetesObject } from './kustomize.ts';

type Schemas = { readonly kinds: Readonly<Record<string, object>>; readonly definitions: object };

const schemas = ['kubernetes-1.34.json', 'keda-2.17.json'].map(
  (name) => JSON.parse(readFileSync(new URL(`./schemas/${name}`, import.meta.url), 'utf8')) as Schemas,
);
const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false });

const say = ({ instancePath, message, params }: ErrorObject) =>
  `${instancePath || '/'} ${message}${'additionalProperty' in params ? `: ${params.additionalProperty}` : ''}`;

/** What an object's Kubernetes schema says against it; empty when nothing. A kind without a schema is a fault. */
export const schemaFaults = (object: KubernetesObject): readonly string[] => {
  const id = `${object.apiVersion}/${object.kind}`;
  const found = schemas.find(({ kinds }) => id in kinds);
  if (!found) return [`no schema for ${id}: see vendor-schemas.ts`];
  const validate =
    ajv.getSchema(id) ?? ajv.compile({ $id: id, ...found.kinds[id], definitions: found.definitions });
  return validate(object) ? [] : (validate.errors ?? []).map(say);
};
