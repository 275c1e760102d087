import { counter, longSeconds } from './metrics.ts';
import { inSpan } from './tracing.ts';

/** A service outside, and what is asked of it: both of a bounded set, `notion` and `append_blocks`. */
export type ProviderCall = { readonly provider: string; readonly operation: string };

const took = longSeconds('esl_provider_seconds', 'Time until a service outside had answered', [
  'provider',
  'operation',
  'status',
]);
const waitedFor = counter('esl_provider_wait_seconds_total', 'Time waited because of a quota', ['provider']);
const billed = counter('esl_billed_characters_total', 'Characters that a provider bills', ['provider']);

type Asked = ProviderCall & { readonly method?: string; readonly host?: string };

/**
 * One call to a service outside, with a span and a measurement of it. Addresses and messages stay out of both, as they
 * may hold a key. `statusOf` is what the service answered; for what was thrown, null when there was no answer.
 */
export const callProvider = <T>(
  { provider, operation, method, host }: Asked,
  run: () => Promise<T>,
  statusOf: {
    readonly answered: (answer: T) => number | null;
    readonly thrown?: (error: unknown) => number | null;
  },
): Promise<T> =>
  inSpan(
    {
      name: `${provider} ${operation}`,
      kind: 'client',
      attributes: {
        ...(method && { 'http.request.method': method }),
        ...(host && { 'server.address': host }),
      },
    },
    async (span) => {
      const end = took.startTimer({ provider, operation });
      const note = (status: number | null) => {
        end({ status: String(status ?? 'failed') });
        if (status !== null) span.set({ 'http.response.status_code': status });
      };
      try {
        const answer = await run();
        note(statusOf.answered(answer));
        return answer;
      } catch (error) {
        note(statusOf.thrown?.(error) ?? null);
        throw error;
      }
    },
  );

/** `fetch`, of a service outside. No ids of ours are sent along. */
export const providerFetch = (call: ProviderCall, url: string | URL, init: RequestInit): Promise<Response> =>
  callProvider(
    { ...call, method: init.method ?? 'GET', host: new URL(url).hostname },
    () => fetch(url, init),
    { answered: ({ status }) => status },
  );

/** Work was held back so long, in ms, because a provider takes no more for now. */
export const countQuotaWait = (provider: string, ms: number): void =>
  waitedFor.inc({ provider }, Math.max(ms, 0) / 1_000);

export const countBilledCharacters = (provider: string, characters: number): void =>
  billed.inc({ provider }, characters);
