import { providerFetch } from '@esl/kit/provider-call';
import { type CatalogFile, type CatalogSource, MAX_FILE_BYTES } from '../app/needs.ts';
import { readBounded, toFetchFault } from './bounded-fetch.ts';

/** How long one file may take, in ms. */
const TIMEOUT_MS = 10_000;

export type RemoteSettings = {
  /** Base address; the paths are appended to it. */
  readonly endpoint: string;
  readonly token: string | null;
  readonly paths: Readonly<Record<'presets' | 'voiceMap' | 'students', string>>;
  readonly timeoutMs?: number;
};

type Kept = { readonly etag: string; readonly text: string };

/** Presets, voices.yml and students over HTTP. What has not changed (ETag) is not sent again. */
export const remoteSource = ({
  endpoint,
  token,
  paths,
  timeoutMs = TIMEOUT_MS,
}: RemoteSettings): CatalogSource => {
  const kept = new Map<string, Kept>();

  const fetchText = async (url: string, signal: AbortSignal): Promise<string> => {
    const known = kept.get(url);
    const response = await providerFetch({ provider: 'catalog', operation: 'get' }, url, {
      signal,
      headers: {
        accept: 'application/json, application/yaml, text/plain',
        ...(token && { authorization: `Bearer ${token}` }),
        ...(known && { 'if-none-match': known.etag }),
      },
    });
    if (response.status === 304 && known) return known.text;
    const text = await readBounded(response, MAX_FILE_BYTES);
    const etag = response.headers.get('etag');
    if (etag) kept.set(url, { etag, text });
    else kept.delete(url);
    return text;
  };

  const readOne = async (kind: keyof RemoteSettings['paths'], signal: AbortSignal): Promise<CatalogFile> => {
    const name = paths[kind].replace(/^\/+/, '');
    try {
      const url = `${endpoint.replace(/\/+$/, '')}/${name}`;
      const text = await fetchText(url, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
      return { kind, name, text };
    } catch (error) {
      signal.throwIfAborted();
      return { kind, name, fault: toFetchFault(error, timeoutMs).message };
    }
  };

  return {
    read: (signal) =>
      Promise.all((['presets', 'voiceMap', 'students'] as const).map((kind) => readOne(kind, signal))),
  };
};
