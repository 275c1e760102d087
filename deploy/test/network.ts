import type { KubernetesObject } from './kustomize.ts';

export type Labels = Readonly<Record<string, string>>;

type Selector = {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values: readonly string[];
  }[];
};
type Peer = {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: object;
};
type Port = { readonly port: number };
type PolicySpec = {
  readonly podSelector: Selector;
  readonly ingress?: readonly { readonly from?: readonly Peer[]; readonly ports?: readonly Port[] }[];
  readonly egress?: readonly { readonly to?: readonly Peer[]; readonly ports?: readonly Port[] }[];
};

const selects = ({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean => {
  for (const { operator } of matchExpressions) {
    if (operator !== 'In') throw new Error(`the operator ${operator} is not understood here`);
  }
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ''))
  );
};

/** Pods of the one namespace that all of this lives in; whoever comes from another is nobody here. */
const isPeer = (peers: readonly Peer[] | undefined, labels: Labels | null): boolean =>
  !peers ||
  !labels ||
  peers.some(({ podSelector, namespaceSelector }) =>
    Boolean(podSelector && !namespaceSelector && selects(podSelector, labels)),
  );

const isPort = (ports: readonly Port[] | undefined, port: number) =>
  !ports || ports.some((one) => one.port === port);

/** Whether NetworkPolicies let one pod call another's port, at both ends. `null` for whoever some rule lets in. */
export const canReach = (
  policies: readonly KubernetesObject[],
  from: Labels | null,
  to: Labels,
  port: number,
): boolean => {
  const specs = policies.map(({ spec }) => spec as PolicySpec);
  const leaves =
    !from ||
    specs.some(
      ({ podSelector, egress = [] }) =>
        selects(podSelector, from) && egress.some((rule) => isPeer(rule.to, to) && isPort(rule.ports, port)),
    );
  const enters = specs.some(
    ({ podSelector, ingress = [] }) =>
      selects(podSelector, to) && ingress.some((rule) => isPeer(rule.from, from) && isPort(rule.ports, port)),
  );
  return leaves && enters;
};
