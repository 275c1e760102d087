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

/**
 * One HTTP request to a service outside, as `fetch`, with a span and a measurement of it. The address stays out of
 * both, as it may hold a key, and no ids of ours are sent along.
 */
export const providerFetch = (
  { provider, operation }: ProviderCall,
  url: string | URL,
  init: RequestInit,
): Promise<Response> =>
  inSpan(
    {
      name: `${provider} ${operation}`,
      kind: 'client',
      attributes: { 'http.request.method': init.method ?? 'GET', 'server.address': new URL(url).hostname },
    },
    async (span) => {
      const end = took.startTimer({ provider, operation });
      try {
        const response = await fetch(url, init);
        end({ status: String(response.status) });
        span.set({ 'http.response.status_code': response.status });
        return response;
      } catch (error) {
        end({ status: init.signal?.aborted ? 'aborted' : 'failed' });
        throw error;
      }
    },
  );

/** Work was held back so long, in ms, because a provider takes no more for now. */
export const countQuotaWait = (provider: string, ms: number): void =>
  waitedFor.inc({ provider }, Math.max(ms, 0) / 1_000);

export const countBilledCharacters = (provider: string, characters: number): void =>
  billed.inc({ provider }, characters);
