// Every request to Notion, whatever it is about.
//   A1. A request waits for its turn, which it shares with everyone who uses the same token.
//   A2. What Notion certainly did not do is asked again, after the pause it wants; other refusals are final at once.
//   A3. A request that may have been done is repeated only where doing it twice is doing it once. Otherwise AnswerLost
//       is thrown, and whoever asked looks at what is there.
//   A4. A firing signal ends the request under way.

import { countQuotaWait, providerFetch } from '@esl/kit/provider-call';
import { Client } from '@notionhq/client';
import { AnswerLost, failureOf, notionError } from './notion-error.ts';
import { type Clock, systemClock, type Throttle } from './throttle.ts';

/** Newer than data sources (2025-09-03): blocks are put in place with `position`, deleted ones are `in_trash`. */
export const NOTION_VERSION = '2026-03-11';

/** A longer pause is not waited for here: the job is given back and comes again. */
const MAX_PAUSE_MS = 30_000;
/** Answers are small; what is larger is none of Notion's. */
const MAX_ANSWER_BYTES = 16_000_000;

export type NotionSettings = {
  readonly token: string;
  readonly baseUrl: string;
  readonly timeoutMs: number;
  /** Times one request is made in all, and the wait before the second; it doubles. */
  readonly maxTries: number;
  readonly retryDelayMs: number;
  /** Pause after each request. */
  readonly pauseMs: number;
  readonly throttle: Throttle;
  readonly clock?: Clock;
};

export type NotionApi = {
  /** For what may be done twice: reads, and writes that set something. Null when it does not exist. */
  readonly find: <T>(ask: (client: Client) => Promise<T>) => Promise<T | null>;
  readonly ask: <T>(ask: (client: Client) => Promise<T>) => Promise<T>;
  /** For what must not be done twice. Throws AnswerLost. */
  readonly askOnce: <T>(ask: (client: Client) => Promise<T>) => Promise<T>;
  /** Waits before the next look at what an answer that was lost has left, counted from 1. */
  readonly wait: (round: number) => Promise<void>;
  readonly maxTries: number;
};

const PROVIDER = 'notion';
const ID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

/** What is asked, without of whom: `patch_blocks_children`. */
const operationOf = (method: string, { pathname }: URL): string =>
  [method.toLowerCase(), ...pathname.replace(/^.*\/v1\//, '').split('/')]
    .filter((part) => !ID.test(part))
    .join('_');

/** Calls Notion for one piece of work, which `signal` ends. */
export const notionApi = (settings: NotionSettings, signal: AbortSignal): NotionApi => {
  const {
    token,
    baseUrl,
    timeoutMs,
    maxTries,
    retryDelayMs,
    pauseMs,
    throttle,
    clock = systemClock,
  } = settings;

  const limited = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const operation = operationOf(init.method ?? 'GET', new URL(url));
    const call = { provider: PROVIDER, operation };
    const answer = await providerFetch(call, url, { ...init, signal: deadline, redirect: 'error' });
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of answer.body ?? []) {
      bytes += part.byteLength;
      if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer is too long');
      parts.push(part);
    }
    return new Response(answer.status === 204 ? null : Buffer.concat(parts), {
      status: answer.status,
      headers: answer.headers,
    });
  };

  const client = new Client({
    auth: token,
    baseUrl: baseUrl.replace(/\/+(v1\/?)?$/, ''),
    notionVersion: NOTION_VERSION,
    retry: false,
    // The SDK's own limit does not cover the answer's body; ours does, and fires first.
    timeoutMs: timeoutMs + 5_000,
    fetch: limited as typeof fetch,
    logger: () => {},
  });

  const backoffMs = (round: number) => retryDelayMs * 2 ** (round - 1) + Math.random() * 120;

  const attempt = async <T>(ask: (client: Client) => Promise<T>, once: boolean): Promise<T | null> => {
    for (let round = 1; ; round += 1) {
      const askedAt = clock.now();
      await throttle.turn(signal);
      countQuotaWait(PROVIDER, clock.now() - askedAt);
      try {
        const answer = await ask(client);
        if (pauseMs > 0) await clock.sleep(pauseMs, signal);
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        const failure = failureOf(error);
        if (failure.kind === 'missing') return null;
        if (failure.kind === 'refused') throw failure.error;
        if (failure.kind === 'unknown' && once) throw new AnswerLost('the answer was lost', { cause: error });
        const asked = failure.kind === 'later' ? failure.retryAfterMs : null;
        if (asked !== null) await throttle.pause(asked);
        if (round >= maxTries || (asked ?? 0) > MAX_PAUSE_MS) throw failure.error;
        await clock.sleep(Math.max(asked ?? 0, backoffMs(round)), signal);
      }
    }
  };

  const orMissing = <T>(answer: T | null): T => {
    if (answer === null) throw notionError('notion_not_shared');
    return answer;
  };

  return {
    find: (ask) => attempt(ask, false),
    ask: async (ask) => orMissing(await attempt(ask, false)),
    askOnce: async (ask) => orMissing(await attempt(ask, true)),
    wait: (round) => clock.sleep(backoffMs(round), signal),
    maxTries,
  };
};

type Answered<T> = {
  readonly results: readonly T[];
  readonly next_cursor: string | null;
  readonly has_more: boolean;
};

/** Everything of a list, page by page, up to `maxPages`; nothing of one that does not exist. */
export async function* everyPage<T>(
  ask: (start: { readonly start_cursor?: string }) => Promise<Answered<T> | null>,
  maxPages = Number.POSITIVE_INFINITY,
): AsyncGenerator<T> {
  let cursor: string | null = null;
  for (let page = 1; page <= maxPages; page += 1) {
    const answer: Answered<T> | null = await ask(cursor === null ? {} : { start_cursor: cursor });
    if (!answer) return;
    yield* answer.results;
    cursor = answer.next_cursor;
    if (!answer.has_more || cursor === null) return;
  }
}
