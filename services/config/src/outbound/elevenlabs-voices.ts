import { z } from 'zod';

/** Why the voices could not be read, for people: no address, no key. */
export class VoicesFault extends Error {
  override name = 'VoicesFault';
}

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

const readBounded = async (response: Response): Promise<string> => {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength;
    if (bytes > MAX_PAGE_BYTES) throw new VoicesFault(`a page is larger than ${MAX_PAGE_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
};

const explain = (error: unknown): VoicesFault => {
  if (error instanceof VoicesFault) return error;
  if (error instanceof Error && error.name === 'TimeoutError')
    return new VoicesFault(`a page took longer than ${TIMEOUT_MS} ms`);
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return new VoicesFault(`a page could not be fetched${code ? ` (${code})` : ''}`, { cause: error });
};

/** The account's voices, as the JSON text of a voices file. Throws VoicesFault. */
export const elevenLabsVoices =
  ({ apiKey, baseUrl }: { readonly apiKey: string; readonly baseUrl: string }) =>
  async (signal: AbortSignal): Promise<string> => {
    const fetchPage = async (token: string | null): Promise<Page> => {
      const url = new URL(`${baseUrl.replace(/\/+$/, '')}/v2/voices`);
      url.searchParams.set('page_size', String(PAGE_SIZE));
      if (token !== null) url.searchParams.set('next_page_token', token);
      try {
        const response = await fetch(url, {
          headers: { 'xi-api-key': apiKey, accept: 'application/json' },
          redirect: 'error',
          signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        });
        if (!response.ok) {
          await response.body?.cancel();
          throw new VoicesFault(`a page was answered with HTTP ${response.status}`);
        }
        const page = pageSchema.safeParse(JSON.parse(await readBounded(response)));
        if (!page.success) throw new VoicesFault('a page is not what ElevenLabs describes');
        return page.data;
      } catch (error) {
        signal.throwIfAborted();
        throw error instanceof SyntaxError ? new VoicesFault('a page is not JSON') : explain(error);
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
