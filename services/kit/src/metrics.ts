import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** The process's one metrics registry; the admin port serves it. Labels are bounded sets, never ids. */
export const metrics = new Registry();
collectDefaultMetrics({ register: metrics });

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** For what may take minutes: runs, steps, waiting in a queue. */
const LONG_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600];

export const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
  new Counter<L>({ name, help, labelNames: [...labelNames], registers: [metrics] });

export const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
  new Gauge<L>({ name, help, labelNames: [...labelNames], registers: [metrics] });

export const seconds = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
  new Histogram<L>({ name, help, labelNames: [...labelNames], buckets: SECONDS, registers: [metrics] });

export const longSeconds = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
  new Histogram<L>({ name, help, labelNames: [...labelNames], buckets: LONG_SECONDS, registers: [metrics] });

/** How old what was read for a scrape may be, and how long reading may take, in ms. */
const MAX_AGE_MS = 5_000;
const READ_MS = 2_000;

const readers = new Set<() => Promise<void>>();

/**
 * Has `read` set gauges from what lies elsewhere whenever somebody scrapes, at most once in five seconds. A reader that
 * fails must leave its gauges without a value, so that nobody takes an old one for true. Returns how to end it.
 */
export const readOnScrape = (read: (signal: AbortSignal) => Promise<void>): (() => void) => {
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | null = null;
  const refresh = () => {
    if (performance.now() - readAt < MAX_AGE_MS) return Promise.resolve();
    reading ??= read(AbortSignal.timeout(READ_MS)).finally(() => {
      readAt = performance.now();
      reading = null;
    });
    return reading;
  };
  readers.add(refresh);
  return () => void readers.delete(refresh);
};

/** Everything that is measured, in the Prometheus text format. */
export const scrape = async (): Promise<string> => {
  await Promise.allSettled([...readers].map((refresh) => refresh()));
  return await metrics.metrics();
};
