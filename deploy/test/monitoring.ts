import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';

const folder = new URL('../components/monitoring/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8');

export type Rule = {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: Readonly<Record<string, string>>;
};
export type Rules = {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
};

/** For a Prometheus of one's own, and for its operator. */
export const plainRules = parse(read('esl.rules.yaml')) as Rules;
export const operatorRules = (parse(read('prometheus-rule.yaml')) as { readonly spec: Rules }).spec;

export const rules = plainRules.groups.flatMap((group) => group.rules);
export const alerts = rules.filter(({ alert }) => alert !== undefined);

type Panel = {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly datasource: { readonly uid: string };
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly fieldConfig: { readonly defaults: { readonly unit: string } };
  readonly targets: readonly { readonly expr: string; readonly refId: string }[];
};
export type Dashboard = { readonly uid: string; readonly title: string; readonly panels: readonly Panel[] };

export const dashboards = readdirSync(new URL('dashboards/', folder)).map(
  (name) => [name, JSON.parse(read(`dashboards/${name}`)) as Dashboard] as const,
);

/** Every expression that operators look at, by where it stands. */
export const expressions: readonly (readonly [where: string, expression: string])[] = [
  ...rules.map(({ alert, record, expr }) => [alert ?? record ?? '', expr] as const),
  ...dashboards.flatMap(([name, { panels }]) =>
    panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [`${name}: ${title}`, expr] as const)),
  ),
];
