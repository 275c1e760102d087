import { describe, expect, it } from 'vitest';
import { counter, gauge, longSeconds, readOnScrape, scrape, seconds } from '../src/metrics.ts';
import { parseMetrics } from '../testing/prometheus.ts';

const one = counter('esl_spec_one_total', 'One', ['kind']);
const two = seconds('esl_spec_two_seconds', 'Two', ['kind']);
const three = longSeconds('esl_spec_three_seconds', 'Three');
const level = gauge('esl_spec_level', 'Read elsewhere');

const scraped = async (name: string) =>
  parseMetrics(await scrape())
    .find((family) => family.name === name)
    ?.samples.at(0)?.value;

describe('what is scraped', () => {
  it('is in the Prometheus text format, whatever the labels hold', async () => {
    one.inc({ kind: 'a "quoted"\\ word\n' });
    two.observe({ kind: 'b' }, 0.3);
    three.observe(120);
    const families = parseMetrics(await scrape());
    expect(families.find(({ name }) => name === 'esl_spec_one_total')).toMatchObject({ type: 'counter' });
    expect(families.find(({ name }) => name === 'esl_spec_three_seconds')?.samples).toContainEqual({
      name: 'esl_spec_three_seconds_bucket',
      labels: { le: '120' },
      value: 1,
    });
  });

  it('is read from elsewhere once for scrapes in quick succession', async () => {
    let reads = 0;
    const end = readOnScrape(async () => {
      reads += 1;
      level.set(reads);
    });
    await Promise.all([scrape(), scrape()]);
    expect(await scraped('esl_spec_level')).toBe(1);
    end();
  });

  it('comes even when what lies elsewhere cannot be read', async () => {
    const end = readOnScrape(async () => {
      level.reset();
      throw new Error('away');
    });
    expect(await scrape()).toContain('esl_spec_one_total');
    end();
  });
});

describe('the reader of the text format', () => {
  const family = '# HELP a_total A.\n# TYPE a_total counter\n';
  const histogram = '# HELP h H.\n# TYPE h histogram\n';
  it.each([
    ['no end', 'a_total 1'],
    ['a sample of no family', 'a_total 1\n'],
    ['a sample of another family', `${family}b_total 1\n`],
    ['a series twice', `${family}a_total{b="c"} 1\na_total{b="c"} 2\n`],
    ['a label twice', `${family}a_total{b="c",b="d"} 1\n`],
    ['a label without quotes', `${family}a_total{b=c} 1\n`],
    ['a value that is none', `${family}a_total one\n`],
    ['an unknown type', '# HELP a A.\n# TYPE a sum\na 1\n'],
    ['a histogram without +Inf', `${histogram}h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n`],
    ['a histogram that falls', `${histogram}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`],
  ])('refuses %s', (_, text) => {
    expect(() => parseMetrics(text)).toThrow();
  });
});
