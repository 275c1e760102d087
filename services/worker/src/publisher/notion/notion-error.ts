import { retryAfterMs } from '@esl/kit/retry-after';
import { APIResponseError, isHTTPResponseError } from '@notionhq/client';
import { RunError } from '../../pipeline/run-error.ts';

export type NotionErrorCode =
  | 'notion_unauthorized'
  | 'notion_not_shared'
  | 'notion_database_missing'
  | 'notion_data_source_unclear'
  | 'notion_rejected'
  | 'notion_rate_limited'
  | 'notion_unavailable';

const SENTENCES: Readonly<Record<NotionErrorCode, string>> = {
  notion_unauthorized:
    'Notion does not accept the token. Make a new one at notion.so/my-integrations and put it into your settings.',
  notion_not_shared:
    'Notion does not let the integration write there. Open the database in Notion, choose ••• → Connections, and add the integration; it needs the right to read, insert and update content.',
  notion_database_missing:
    'There is no such Notion database, or it is not shared with the integration. Check its id or name, and add the integration under ••• → Connections.',
  notion_data_source_unclear: 'The Notion database has several data sources. Name the one to use by its id.',
  notion_rejected: 'Notion did not accept the page.',
  notion_rate_limited: 'Notion asks for a pause. The lesson is published later.',
  notion_unavailable: 'Notion does not answer at the moment. The lesson is published later.',
};

const RETRYABLE: ReadonlySet<NotionErrorCode> = new Set(['notion_rate_limited', 'notion_unavailable']);

export const notionError = (
  code: NotionErrorCode,
  { detail, ...options }: ErrorOptions & { readonly detail?: string; readonly retryAfterMs?: number } = {},
): RunError =>
  new RunError(code, detail ? `${SENTENCES[code]} ${detail}` : SENTENCES[code], {
    ...options,
    retryable: RETRYABLE.has(code),
  });

/** The answer to a request that must not be made twice was lost: what it was to do may be done, or not. */
export class AnswerLost extends Error {
  override name = 'AnswerLost';
}

/** What a failed request means. */
export type Failure =
  /** Notion did nothing, and may do it later. */
  | { readonly kind: 'later'; readonly retryAfterMs: number | null; readonly error: RunError }
  /** Nobody knows whether Notion did it. */
  | { readonly kind: 'unknown'; readonly error: RunError }
  | { readonly kind: 'missing'; readonly error: RunError }
  | { readonly kind: 'refused'; readonly error: RunError };

/** Notion's own words, for the owner of the page; they may quote the lesson, never the token. */
const inNotionsWords = (error: unknown): string | undefined =>
  error instanceof APIResponseError ? `Notion says: ${error.message.slice(0, 300)}` : undefined;

/** Failures before a request has reached anybody. */
const NEVER_SENT: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

const systemCode = (error: unknown): unknown => {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause ? cause.code : undefined;
};

export const failureOf = (error: unknown): Failure => {
  const away = notionError('notion_unavailable', { cause: error });
  if (!isHTTPResponseError(error))
    return NEVER_SENT.has(systemCode(error))
      ? { kind: 'later', retryAfterMs: null, error: away }
      : { kind: 'unknown', error: away };
  const { status, headers } = error;
  const fromNotion = error instanceof APIResponseError;
  const pause = headers instanceof Headers ? retryAfterMs(headers.get('retry-after'), Date.now()) : null;
  const refused = (code: NotionErrorCode, detail?: string): Failure => ({
    kind: status === 404 ? 'missing' : 'refused',
    error: notionError(code, { cause: error, ...(detail && { detail }) }),
  });
  if (status === 401) return refused('notion_unauthorized');
  // Something between us and Notion may say 403 too, in HTML: that is no word about the database.
  if (status === 403)
    return fromNotion ? refused('notion_not_shared') : { kind: 'later', retryAfterMs: pause, error: away };
  if (status === 404) return refused('notion_not_shared');
  if (status === 429) {
    const limited = notionError('notion_rate_limited', {
      cause: error,
      ...(pause !== null && { retryAfterMs: pause }),
    });
    return { kind: 'later', retryAfterMs: pause, error: limited };
  }
  if (status === 409 || status === 529) return { kind: 'later', retryAfterMs: pause, error: away };
  if (status >= 500 || status === 408) return { kind: 'unknown', error: away };
  return refused('notion_rejected', inNotionsWords(error));
};
