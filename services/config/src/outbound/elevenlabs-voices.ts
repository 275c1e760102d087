import { providerFetch } from '@esl/kit/provider-call';
import { z } from 'zod';
import { FetchFault, readBounded, toFetchFault } from './bounded-fetch.ts';

const LIST = { provider: 'elevenlabs', operation: 'list_voices' };
const PAGE_SIZE = 100;
/** The catalog holds no more voices than this times the page size. */
const MAX_PAGES = 20;
/** How long one page may take, in ms. */
const TIMEOUT_MS = 15_000;
const MAX_PAGE_BYTES = 8 * 1024 * 1024;

/** Only what a voices file holds is kept; the catalog reads that more closely. */
const pageSchema = z.object({
  voices: z
    .array(
      z
        .object({
          voice_id: z.string(),
          name: z.unknown(),
          category: z.unknown(),
          preview_url: z.unknown(),
          labels: z.unknown(),
          verified_languages: z.array(z.object({ language: z.unknown() })).nullish(),
        })
        .transform(({ voice_id: id, ...voice }) => ({ id, ...voice })),
    )
    .max(PAGE_SIZE),
  has_more: z.boolean(),
  next_page_token: z.string().nullish(),
});
type Page = z.infer<typeof pageSchema>;

/** The account's voices, as the JSON text of a voices file. Throws FetchFault. */
export const elevenLabsVoices =
  ({ apiKey, baseUrl }: { readonly apiKey: string; readonly baseUrl: string }) =>
  async (signal: AbortSignal): Promise<string> => {
    const fetchPage = async (token: string | null): Promise<Page> => {
      const url = new URL(`${baseUrl.replace(/\/+$/, '')}/v2/voices`);
      url.searchParams.set('page_size', String(PAGE_SIZE));
      if (token !== null) url.searchParams.set('next_page_token', token);
      try {
        const response = await providerFetch(LIST, url, {
          headers: { 'xi-api-key': apiKey, accept: 'application/json' },
          redirect: 'error',
          signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        });
        const page = pageSchema.safeParse(JSON.parse(await readBounded(response, MAX_PAGE_BYTES)));
        if (!page.success) throw new FetchFault('is not what ElevenLabs describes');
        return page.data;
      } catch (error) {
        signal.throwIfAborted();
        throw error instanceof SyntaxError ? new FetchFault('is not JSON') : toFetchFault(error, TIMEOUT_MS);
      }
    };

    const voices = new Map<string, object>();
    let token: string | null = null;
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const page: Page = await fetchPage(token);
      for (const voice of page.voices) voices.set(voice.id, voice);
      const next = page.has_more ? (page.next_page_token ?? null) : null;
      if (next === null || next === token) break;
      token = next;
    }
    return JSON.stringify({ voices: [...voices.values()] });
  };
