import { z } from 'zod';
import { readEnv } from './env.ts';
import type { StopStep } from './shut-down.ts';
import { recordWith } from './tracing.ts';

const DEFAULT_ENDPOINT = 'http://127.0.0.1:4318';

/** Where traces go, by OpenTelemetry's own names of the variables; nowhere unless one of the first two says so. */
const environment = z.object({
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  OTEL_TRACES_EXPORTER: z.enum(['otlp', 'none']).optional(),
  /** `key=value` pairs, separated by commas, such as a collector's credentials. */
  OTEL_EXPORTER_OTLP_HEADERS: z.string().optional(),
  /** The share of the requests that is recorded, from 0 to 1. */
  OTEL_TRACES_SAMPLER_ARG: z.string().transform(Number).pipe(z.number().min(0).max(1)).default(1),
});

const readHeaders = (text: string): Record<string, string> =>
  Object.fromEntries(
    text.split(',').flatMap((pair) => {
      const at = pair.indexOf('=');
      return at > 0 ? [[pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())]] : [];
    }),
  );

/** Records spans if the environment asks for it. What it answers stops last, so that the stop itself is on record. */
export const startTracing = async (service: string, env: NodeJS.ProcessEnv): Promise<StopStep[]> => {
  const config = readEnv(environment, env);
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: exporter } = config;
  if (exporter === 'none' || (!endpoint && !exporter)) return [];
  const { otlpRecorder } = await import('./otlp-recorder.ts');
  const recorder = otlpRecorder({
    service,
    url: `${(endpoint ?? DEFAULT_ENDPOINT).replace(/\/+$/, '')}/v1/traces`,
    headers: readHeaders(config.OTEL_EXPORTER_OTLP_HEADERS ?? ''),
    ratio: config.OTEL_TRACES_SAMPLER_ARG,
  });
  recordWith(recorder);
  return [{ name: 'telemetry', withinMs: 500, run: recorder.close }];
};
