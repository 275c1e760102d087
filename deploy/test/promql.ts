import { parser } from '@prometheus-io/lezer-promql';

/** What a PromQL expression reads: metric names, each with the labels that it is narrowed by. */
export type Reads = readonly { readonly metric: string; readonly labels: readonly string[] }[];

type SyntaxNode = ReturnType<typeof parser.parse>['topNode'];

/** Grafana fills its own variables in before Prometheus sees an expression. */
const filledIn = (expression: string) => expression.replaceAll('$__rate_interval', '5m');

const namesIn = (node: SyntaxNode, kind: string, text: string): string[] => {
  const names: string[] = [];
  node.cursor().iterate((each) => {
    if (each.name === kind) names.push(text.slice(each.from, each.to));
    return each.name !== 'VectorSelector' || each.from === node.from;
  });
  return names;
};

/** Throws when the expression is no PromQL. */
export const readPromQl = (expression: string): Reads => {
  const text = filledIn(expression);
  const tree = parser.parse(text);
  const selectors: SyntaxNode[] = [];
  tree.iterate({
    enter: (each) => {
      if (each.type.isError)
        throw new Error(
          `no PromQL at ${each.from}: ${text.slice(0, each.from)} ⟨here⟩ ${text.slice(each.from)}`,
        );
      if (each.name === 'VectorSelector') selectors.push(each.node);
    },
  });
  return selectors.map((selector) => ({
    metric: namesIn(selector, 'Identifier', text)[0] ?? '',
    labels: namesIn(selector, 'LabelName', text),
  }));
};
