import type { KubernetesObject } from './kustomize.ts';
import type { PodTemplate } from './workloads.ts';

/** The environment of a pod's first container, as Kubernetes would make it. What is optional and not there is unset. */
export const environmentOf = (
  pod: PodTemplate,
  objects: readonly KubernetesObject[],
): Readonly<Record<string, string>> => {
  const dataOf = (kind: string, name: string): Readonly<Record<string, string>> | undefined =>
    objects.find((one) => one.kind === kind && one.metadata.name === name)?.data as
      | Record<string, string>
      | undefined;
  const [container] = pod.spec.containers;
  const environment: Record<string, string> = {};
  for (const { configMapRef } of container?.envFrom ?? []) {
    Object.assign(environment, dataOf('ConfigMap', configMapRef?.name ?? ''));
  }
  const own: Record<string, string> = {};
  for (const { name, value, valueFrom } of container?.env ?? []) {
    const { secretKeyRef, configMapKeyRef } = valueFrom ?? {};
    const secret = secretKeyRef && dataOf('Secret', secretKeyRef.name)?.[secretKeyRef.key];
    const known =
      value?.replace(/\$\((\w+)\)/g, (whole, other: string) => own[other] ?? whole) ??
      (secret && Buffer.from(secret, 'base64').toString()) ??
      (configMapKeyRef && dataOf('ConfigMap', configMapKeyRef.name)?.[configMapKeyRef.key]) ??
      (valueFrom?.fieldRef && pod.name);
    if (known !== undefined) own[name] = known;
  }
  return { ...environment, ...own };
};
