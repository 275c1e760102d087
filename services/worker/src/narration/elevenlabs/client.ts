import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises';
import { countQuotaWait, providerFetch } from '@esl/kit/provider-call';
import { retryAfterMs } from '@esl/kit/retry-after';
import pLimit from 'p-limit';
import { z } from 'zod';
import type { Stops } from '../narrate-segments.ts';
import type { NarrationError } from '../narration-error.ts';
import { refused, unanswered } from './failures.ts';
import { timingsSchema } from './timings.ts';

// One account's way to ElevenLabs, shared by all that a worker narrates for it.
//   L1. Never more requests at once than the account allows, whoever asks.
//   L2. Only what may pass is tried again; Retry-After holds back every request of the account.
//   L3. An answer that was lost may have been paid for: such a request is repeated once, not more.

export type Account = {
  readonly apiKey: string;
  readonly baseUrl: string;
  readonly concurrency: number;
  /** For one try, body included. */
  readonly timeoutMs?: number;
  /** The first pause between two tries, in ms; it doubles with each. */
  readonly firstPauseMs?: number;
};

export type Answer = {
  readonly audio: Buffer;
  readonly timings: z.infer<typeof timingsSchema>;
  readonly requestId: string | null;
  /** How many times the work was done: more than once when an answer broke off. */
  readonly timesDone: number;
};

export type ElevenLabsClient = {
  /** Rejects with a NarrationError, or with the reason of a signal. */
  readonly post: (
    path: string,
    call: { readonly format: string; readonly body: object; readonly voice: string | null },
    stops: Stops,
  ) => Promise<Answer>;
};

const TIMEOUT_MS = 60_000;
const MAX_TRIES = 6;
const MAX_LOST = 2;
const FIRST_PAUSE_MS = 400;
const MAX_PAUSE_MS = 8_000;
/** Longer waits are left to the queue: the run ends, and is taken up again when the time has come. */
const MAX_RETRY_AFTER_MS = 20_000;

/** Two minutes of speech at 44.1 kHz in base64 are 14 MB. */
const MAX_ANSWER_BYTES = 32 * 1_024 * 1_024;
const MAX_REFUSAL_BYTES = 16 * 1_024;

const answerSchema = z.looseObject({ audio_base64: z.string().min(1) });
const refusalSchema = z.object({
  detail: z.object({ status: z.string().optional(), code: z.string().optional() }),
});

const pause = async (ms: number, enough: AbortSignal): Promise<void> => {
  await delay(ms, null, { signal: enough }).catch(() => {});
  enough.throwIfAborted();
};

const readBody = async (response: Response, maxBytes: number): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`an answer of more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

/** The words ElevenLabs uses are short; anything else is not shown to anyone. */
const wordIn = (body: string): string | null => {
  try {
    const { detail } = refusalSchema.parse(JSON.parse(body));
    const word = detail.status ?? detail.code ?? '';
    return /^[a-z_]{1,64}$/.test(word) ? word : null;
  } catch {
    return null;
  }
};

type Try =
  | { readonly is: 'answer'; readonly answer: Omit<Answer, 'timesDone'> }
  | { readonly is: 'refusal'; readonly error: NarrationError; readonly retryAfterMs: number | null }
  | { readonly is: 'lost'; readonly error: NarrationError; readonly wasDone: boolean };

export const elevenLabsClient = ({
  apiKey,
  baseUrl,
  concurrency,
  timeoutMs = TIMEOUT_MS,
  firstPauseMs = FIRST_PAUSE_MS,
}: Account): ElevenLabsClient => {
  const limit = pLimit(concurrency);
  const root = baseUrl.replace(/\/+$/, '');
  /** When requests may be sent again, by `performance.now()`. */
  let openAt = 0;

  const tryOnce = async (
    url: string,
    body: string,
    voice: string | null,
    signal: AbortSignal,
  ): Promise<Try> => {
    const operation = url.includes('/text-to-dialogue') ? 'text_to_dialogue' : 'text_to_speech';
    const asked = { provider: 'elevenlabs', operation };
    let wasDone = false;
    try {
      const response = await providerFetch(asked, url, {
        method: 'POST',
        headers: { 'xi-api-key': apiKey, 'content-type': 'application/json', accept: 'application/json' },
        body,
        redirect: 'error', // a redirect would carry the key elsewhere
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      const requestId = response.headers.get('request-id');
      if (!response.ok) {
        const { status } = response;
        const word = wordIn(await readBody(response, MAX_REFUSAL_BYTES).catch(() => ''));
        const waitMs = retryAfterMs(response.headers.get('retry-after'), Date.now());
        const error = refused({ status, word, requestId, voice }, waitMs ?? 0);
        return { is: 'refusal', error, retryAfterMs: waitMs };
      }
      wasDone = true;
      const json: unknown = JSON.parse(await readBody(response, MAX_ANSWER_BYTES));
      const audio = Buffer.from(answerSchema.parse(json).audio_base64, 'base64');
      if (audio.length < 2) throw new Error(`no audio in the answer to ${requestId}`);
      return { is: 'answer', answer: { audio, timings: timingsSchema.parse(json), requestId } };
    } catch (error) {
      signal.throwIfAborted();
      return { is: 'lost', error: unanswered(error), wasDone };
    }
  };

  const pauseBefore = (nextTry: number): number => {
    const full = Math.min(firstPauseMs * 2 ** (nextTry - 2), MAX_PAUSE_MS);
    return full * (0.5 + Math.random() / 2);
  };

  const untilOpen = async (enough: AbortSignal) => {
    const from = performance.now();
    for (let ms = openAt - from; ms > 0; ms = openAt - performance.now()) await pause(ms, enough);
    countQuotaWait('elevenlabs', performance.now() - from);
  };

  const post: ElevenLabsClient['post'] = async (path, { format, body, voice }, { signal, enough }) => {
    const url = `${root}${path}?output_format=${format}`;
    const text = JSON.stringify(body);
    let lost = 0;
    let timesDone = 1;
    for (let tries = 1; ; tries += 1) {
      await untilOpen(enough);
      enough.throwIfAborted();
      const tried = await tryOnce(url, text, voice, signal);
      if (tried.is === 'answer') return { ...tried.answer, timesDone };
      if (tried.is === 'lost') {
        lost += 1;
        if (tried.wasDone) timesDone += 1;
      }
      const { error } = tried;
      if (!error.retryable || tries === MAX_TRIES || lost === MAX_LOST) throw error;
      const asked = tried.is === 'refusal' ? tried.retryAfterMs : null;
      if (asked !== null) {
        if (asked > MAX_RETRY_AFTER_MS) throw error;
        openAt = Math.max(openAt, performance.now() + asked);
      }
      await pause(pauseBefore(tries + 1), enough); // also after a Retry-After of nothing
    }
  };

  return {
    post: (path, call, stops) =>
      limit(async () => {
        await immediate(); // the failure that freed this slot may be on its way to `enough`
        stops.enough.throwIfAborted();
        return post(path, call, stops);
      }),
  };
};
