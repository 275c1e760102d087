export type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

/** One metric family as it was exposed. */
export type Family = {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly help: string;
  readonly samples: readonly Sample[];
};

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;
/** What Go's ParseFloat reads, which is how the format is defined: letters in any case. */
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|[+-]?inf|nan)$/i;
const TYPES = new Set(['counter', 'gauge', 'histogram', 'summary']);

const numberOf = (text: string): number => {
  if (!NUMBER.test(text)) throw new Error(`not a number: ${text}`);
  return Number(text.replace(/inf/i, 'Infinity'));
};

const labelsOf = (text: string): Record<string, string> => {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex;
    const [, name = '', value = ''] = LABEL.exec(text) ?? [];
    if (!name) throw new Error(`not a label: ${text.slice(at)}`);
    if (name in labels) throw new Error(`the label ${name} comes twice`);
    labels[name] = value;
  }
  return labels;
};

const SUFFIXES: Readonly<Record<Family['type'], readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

const keyOf = (labels: Readonly<Record<string, string>>, without = ''): string =>
  JSON.stringify(
    Object.entries(labels)
      .filter(([name]) => name !== without)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

/** Buckets rise, the last is +Inf, and it holds as many as were counted. */
const checkHistogram = ({ name, samples }: Family): void => {
  const counts = new Map(
    samples
      .filter((sample) => sample.name === `${name}_count`)
      .map(({ labels, value }) => [keyOf(labels), value]),
  );
  const buckets = Map.groupBy(
    samples.filter((sample) => sample.name === `${name}_bucket`),
    ({ labels }) => keyOf(labels, 'le'),
  );
  for (const [key, ofOne] of buckets) {
    const bounds = ofOne.map(({ labels }) => numberOf(labels.le ?? ''));
    const rises = (values: readonly number[]) =>
      values.every((value, index) => index === 0 || value >= (values[index - 1] ?? 0));
    if (!rises(bounds) || !rises(ofOne.map(({ value }) => value)) || bounds.at(-1) !== Infinity)
      throw new Error(`${name}: buckets out of order`);
    if (ofOne.at(-1)?.value !== counts.get(key)) throw new Error(`${name}: +Inf is not the count`);
  }
};

/** Reads the Prometheus text format 0.0.4. Throws at whatever the format does not allow. */
export const parseMetrics = (text: string): Family[] => {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, { type: Family['type'] | null; help: string; samples: Sample[] }>();
  const seen = new Set<string>();
  let current = '';
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      if (!NAME.test(name) || families.has(name)) throw new Error(`a second or wrong family: ${line}`);
      families.set(name, { type: null, help: rest, samples: [] });
      current = name;
    } else if (keyword === 'TYPE') {
      const family = families.get(name);
      if (!family || name !== current || !TYPES.has(rest)) throw new Error(`a TYPE out of place: ${line}`);
      family.type = rest as Family['type'];
    } else {
      const [, sampleName = '', labelText = '', value = ''] = SAMPLE.exec(line) ?? [];
      const family = families.get(current);
      if (!family?.type || !SUFFIXES[family.type].some((suffix) => sampleName === current + suffix))
        throw new Error(`a sample out of place: ${line}`);
      const labels = labelsOf(labelText);
      const series = `${sampleName}${keyOf(labels)}`;
      if (seen.has(series)) throw new Error(`a series that comes twice: ${line}`);
      seen.add(series);
      family.samples.push({ name: sampleName, labels, value: numberOf(value) });
    }
  }
  const read = [...families].map(([name, { type, help, samples }]): Family => {
    if (!type || !help) throw new Error(`${name} has no type or no help`);
    return { name, type, help, samples };
  });
  for (const family of read) if (family.type === 'histogram') checkHistogram(family);
  return read;
};
