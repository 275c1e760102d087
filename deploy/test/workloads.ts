import type { KubernetesObject } from './kustomize.ts';
import type { Labels } from './network.ts';

type SecurityContext = {
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly seccompProfile?: { readonly type: string };
  readonly allowPrivilegeEscalation?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
};
type Amounts = { readonly cpu?: string; readonly memory?: string };
type KeyRef = { readonly name: string; readonly key: string; readonly optional?: boolean };

export type Container = {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy?: string;
  readonly ports?: readonly { readonly containerPort: number }[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: {
      readonly secretKeyRef?: KeyRef;
      readonly configMapKeyRef?: KeyRef;
      readonly fieldRef?: { readonly fieldPath: string };
    };
  }[];
  readonly envFrom?: readonly { readonly configMapRef?: { readonly name: string } }[];
  readonly resources?: { readonly requests?: Amounts; readonly limits?: Amounts };
  readonly securityContext?: SecurityContext;
  readonly startupProbe?: object;
  readonly livenessProbe?: object;
  readonly readinessProbe?: object;
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
};

/** What a Deployment or a StatefulSet makes pods of. */
export type PodTemplate = {
  readonly name: string;
  readonly labels: Labels;
  readonly spec: {
    readonly serviceAccountName?: string;
    readonly automountServiceAccountToken?: boolean;
    readonly terminationGracePeriodSeconds?: number;
    readonly securityContext?: SecurityContext;
    readonly topologySpreadConstraints?: readonly object[];
    readonly initContainers?: readonly Container[];
    readonly containers: readonly Container[];
    readonly volumes?: readonly {
      readonly configMap?: { readonly name: string };
      readonly persistentVolumeClaim?: { readonly claimName: string };
    }[];
  };
};

type Workload = {
  readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodTemplate['spec'] };
};

const KINDS: readonly string[] = ['Deployment', 'StatefulSet', 'DaemonSet'];

export const workloadsOf = (objects: readonly KubernetesObject[]): readonly PodTemplate[] =>
  objects
    .filter(({ kind }) => KINDS.includes(kind))
    .map(({ metadata, spec }) => {
      const { template } = spec as Workload;
      return { name: metadata.name, labels: template.metadata.labels, spec: template.spec };
    });

export const containersOf = ({ spec }: PodTemplate): readonly Container[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
];
