import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

// A strict stand-in for ElevenLabs over real HTTP: it refuses what the published interface refuses, counts what it is
// asked and what it bills, and answers with sound as long as the text.

export type AccountOptions = {
  /** Requests at once; one more is a 429. */
  readonly concurrency?: number;
  /** Characters that may still be spoken. */
  readonly quota?: number;
  readonly isPro?: boolean;
};

export type Fault =
  /** An error answer, before any work. */
  | { readonly kind: 'refuse'; readonly status: number; readonly word?: string; readonly retryAfter?: string }
  /** The connection breaks before any work. */
  | { readonly kind: 'reset' }
  /** The work is done and billed, and the connection breaks: before the answer, or in the middle of it. */
  | { readonly kind: 'lose'; readonly at: 'start' | 'body' }
  /** A 200 that is not what was promised. */
  | { readonly kind: 'garbage' }
  /** Good audio without any timings. */
  | { readonly kind: 'untimed' };

export type Seen = {
  readonly key: string;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** 0 when no answer was begun. */
  status: number;
  /** Characters billed for it. */
  billed: number;
};

const MAX_SEED = 4_294_967_295;
const text = z.string().min(1);
const requestIds = z.array(z.string()).max(3).optional();
const common = {
  model_id: z.string(),
  language_code: z.string().length(2).optional(),
  seed: z.int().min(0).max(MAX_SEED).optional(),
  pronunciation_dictionary_locators: z.array(z.unknown()).max(3).optional(),
  apply_text_normalization: z.enum(['auto', 'on', 'off']).optional(),
  use_pvc_as_ivc: z.boolean().optional(),
  previous_request_ids: requestIds,
  next_request_ids: requestIds,
};
const share = z.number().min(0).max(1).optional();
const speechBody = z.strictObject({
  ...common,
  text,
  voice_settings: z
    .strictObject({
      stability: share,
      similarity_boost: share,
      style: share,
      use_speaker_boost: z.boolean().optional(),
      speed: z.number().min(0.7).max(1.2).optional(),
    })
    .optional(),
  previous_text: z.string().optional(),
  next_text: z.string().optional(),
  apply_language_text_normalization: z.boolean().optional(),
});
const dialogueBody = z.strictObject({
  ...common,
  inputs: z.array(z.strictObject({ text, voice_id: z.string().min(1) })).min(1),
  settings: z.strictObject({ stability: z.literal([0, 0.5, 1]).optional() }).optional(),
  previous_text: z.string().max(100).optional(),
  future_text: z.string().max(100).optional(),
});

const MAX_CHARACTERS: Readonly<Record<string, number>> = {
  eleven_multilingual_v2: 10_000,
  eleven_flash_v2_5: 40_000,
  eleven_turbo_v2_5: 40_000,
  eleven_v3: 5_000,
};
const MAX_DIALOGUE_CHARACTERS = 2_000;
const MAX_DIALOGUE_VOICES = 10;

const voice = (name: string, gender: string, accent: string) => ({
  voice_id: `EL${name}0000000000000`.slice(0, 20),
  name,
  category: 'premade',
  preview_url: `https://example.com/${name}.mp3`,
  labels: { gender, accent, age: 'middle_aged', use_case: 'conversational', language: 'en' },
  verified_languages: [{ language: 'en', model_id: 'eleven_multilingual_v2' }],
});

export const VOICES = [
  voice('Sarah', 'female', 'american'),
  voice('George', 'male', 'british'),
  voice('Alice', 'female', 'british'),
  voice('Roger', 'male', 'american'),
  voice('Liam', 'male', 'american'),
  voice('Bella', 'female', 'american'),
];

/** An answer that is not a success, as FastAPI and ElevenLabs shape them. */
class Refused extends Error {
  readonly status: number;
  readonly detail: unknown;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, detail: unknown, headers: Readonly<Record<string, string>> = {}) {
    super(`refused with ${status}`);
    this.status = status;
    this.detail = detail;
    this.headers = headers;
  }
}
const refuse = (status: number, word: string, message = word) =>
  new Refused(status, { status: word, message });

const parsed = <T>(schema: z.ZodType<T>, value: unknown): T => {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const detail = result.error.issues.map(({ path, message, code }) => ({
    loc: ['body', ...path],
    msg: message,
    type: code,
  }));
  throw new Refused(422, detail);
};

const readJson = async (request: IncomingMessage): Promise<unknown> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new Refused(422, [{ loc: ['body'], msg: 'JSON decode error', type: 'json_invalid' }]);
  }
};

type Turn = { readonly voice: string; readonly text: string };

const LEAD_MS = 80;
const TAIL_MS = 120;
const GAP_MS = 200;
const CHARACTER_MS = 40;
const codePoints = (value: string) => Array.from(value);

/** Turns as tones, each voice at its own pitch, with silence around and between them, and the times of everything. */
const perform = (turns: readonly Turn[], rate: number) => {
  const at = (ms: number) => Math.round((ms * rate) / 1_000);
  const alignment = {
    characters: [] as string[],
    character_start_times_seconds: [] as number[],
    character_end_times_seconds: [] as number[],
  };
  const voiceSegments: object[] = [];
  const lengthMs = turns.reduce(
    (sum, turn, index) => sum + (index > 0 ? GAP_MS : 0) + codePoints(turn.text).length * CHARACTER_MS,
    LEAD_MS + TAIL_MS,
  );
  const samples = new Int16Array(at(lengthMs));
  let clockMs = LEAD_MS;
  for (const [index, turn] of turns.entries()) {
    if (index > 0) clockMs += GAP_MS;
    const startMs = clockMs;
    const from = alignment.characters.length;
    for (const character of codePoints(turn.text)) {
      alignment.characters.push(character);
      alignment.character_start_times_seconds.push(clockMs / 1_000);
      clockMs += CHARACTER_MS;
      alignment.character_end_times_seconds.push(clockMs / 1_000);
    }
    const pitch = 100 + (createHash('sha256').update(turn.voice).digest()[0] ?? 0);
    for (let sample = at(startMs); sample < at(clockMs); sample += 1)
      samples[sample] = Math.round(9_000 * Math.sin((2 * Math.PI * pitch * sample) / rate));
    voiceSegments.push({
      voice_id: turn.voice,
      start_time_seconds: startMs / 1_000,
      end_time_seconds: clockMs / 1_000,
      character_start_index: from,
      character_end_index: alignment.characters.length,
      dialogue_input_index: index,
    });
  }
  return { audio: Buffer.from(samples.buffer), alignment, voiceSegments };
};

const rateOf = (query: URLSearchParams, { isPro = false }: AccountOptions): number => {
  for (const name of query.keys())
    if (name !== 'output_format')
      throw new Refused(422, [{ loc: ['query', name], msg: 'extra', type: 'extra' }]);
  const rate = Number(
    /^pcm_(8000|16000|22050|24000|32000|44100|48000)$/.exec(query.get('output_format') ?? '')?.[1],
  );
  if (!rate) throw refuse(400, 'invalid_output_format');
  if (rate >= 44_100 && !isPro) throw refuse(403, 'output_format_not_allowed');
  return rate;
};

const charactersOf = (turns: readonly Turn[]) =>
  turns.reduce((sum, turn) => sum + codePoints(turn.text).length, 0);

const checkModel = (model: string, characters: number) => {
  const max = MAX_CHARACTERS[model];
  if (max === undefined) throw refuse(400, 'model_not_found');
  if (characters > max) throw refuse(400, 'max_character_limit_exceeded');
};

const speechTurns = (voice: string, json: unknown): Turn[] => {
  const body = parsed(speechBody, json);
  checkModel(body.model_id, codePoints(body.text).length);
  if (body.language_code !== undefined && body.model_id === 'eleven_multilingual_v2')
    throw refuse(400, 'unsupported_language');
  if (body.model_id === 'eleven_v3' && (body.previous_text ?? body.next_text) !== undefined)
    throw refuse(400, 'unsupported_model');
  return [{ voice, text: body.text }];
};

const dialogueTurns = (json: unknown): Turn[] => {
  const body = parsed(dialogueBody, json);
  const turns = body.inputs.map((input) => ({ voice: input.voice_id, text: input.text }));
  if (body.model_id !== 'eleven_v3') throw refuse(400, 'unsupported_model');
  if (charactersOf(turns) > MAX_DIALOGUE_CHARACTERS) throw refuse(400, 'max_character_limit_exceeded');
  if (new Set(turns.map(({ voice }) => voice)).size > MAX_DIALOGUE_VOICES)
    throw refuse(400, 'too_many_voices');
  return turns;
};

export const startElevenLabsServer = async (accounts: Readonly<Record<string, AccountOptions>> = {}) => {
  const keys = new Map(Object.entries({ 'el-key-of-the-specs': {}, ...accounts }));
  const voices = [...VOICES];
  const seen: Seen[] = [];
  const faults: Fault[] = [];
  const active = new Map<string, number>();
  const state = { delayMs: 0, mostAtOnce: 0, onSpeech: (_nth: number) => {} };
  const billed = (key?: string) =>
    seen.reduce((sum, each) => sum + (key === undefined || each.key === key ? each.billed : 0), 0);
  const isSpeech = ({ path }: Seen) => path.startsWith('/v1/text-to-');

  const accountOf = (request: IncomingMessage): { key: string; account: AccountOptions } => {
    const key = request.headers['xi-api-key'];
    if (typeof key !== 'string') throw refuse(401, 'needs_authorization');
    const account = keys.get(key);
    if (!account) throw refuse(401, 'invalid_api_key');
    return { key, account };
  };

  const sendJson = (response: ServerResponse, entry: Seen, status: number, body: unknown, headers = {}) => {
    entry.status = status;
    response.writeHead(status, {
      'content-type': 'application/json',
      'request-id': randomUUID(),
      ...headers,
    });
    response.end(JSON.stringify(body));
  };

  const speak = async (
    request: IncomingMessage,
    response: ServerResponse,
    entry: Seen,
    turnsOf: () => Turn[],
  ) => {
    const { key, account } = accountOf(request);
    const atOnce = (active.get(key) ?? 0) + 1;
    active.set(key, atOnce);
    state.mostAtOnce = Math.max(state.mostAtOnce, atOnce);
    const left = new AbortController();
    response.once('close', () => left.abort());
    if (request.socket.destroyed) left.abort();
    try {
      const fault = faults.shift();
      if (fault?.kind === 'reset') return request.socket.destroy();
      if (fault?.kind === 'refuse')
        throw new Refused(
          fault.status,
          { status: fault.word ?? 'error', message: 'as the spec wants' },
          fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter },
        );
      if (atOnce > (account.concurrency ?? 5)) throw refuse(429, 'too_many_concurrent_requests');
      const rate = rateOf(entry.query, account);
      const turns = turnsOf();
      for (const { voice: id } of turns)
        if (!voices.some((each) => each.voice_id === id)) throw refuse(404, 'voice_not_found');
      const characters = charactersOf(turns);
      if (billed(key) + characters > (account.quota ?? Number.POSITIVE_INFINITY))
        throw refuse(401, 'quota_exceeded');
      entry.billed = characters; // taken from the quota as the work begins, and given back when nobody waits for it
      await delay(state.delayMs, null, { signal: left.signal }).catch((error: unknown) => {
        entry.billed = 0;
        throw error;
      });
      const { audio, alignment, voiceSegments } = perform(turns, rate);
      if (fault?.kind === 'lose' && fault.at === 'start') return request.socket.destroy();
      if (fault?.kind === 'garbage') return sendJson(response, entry, 200, { audio_base64: '' });
      const timings = fault?.kind === 'untimed' ? {} : { alignment, voice_segments: voiceSegments };
      const body = JSON.stringify({ audio_base64: audio.toString('base64'), ...timings });
      entry.status = 200;
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'request-id': randomUUID(),
        'character-cost': String(characters),
      });
      if (fault?.kind !== 'lose') return response.end(body);
      return response.write(body.slice(0, body.length / 2), () => request.socket.destroy());
    } finally {
      active.set(key, (active.get(key) ?? 1) - 1);
    }
  };

  const listVoices = (request: IncomingMessage, response: ServerResponse, entry: Seen) => {
    accountOf(request);
    const size = Number(entry.query.get('page_size') ?? 10);
    if (!(size >= 1 && size <= 100)) throw new Refused(422, [{ loc: ['query', 'page_size'], msg: 'range' }]);
    const token = entry.query.get('next_page_token');
    const from = token === null ? 0 : Number(/^from-(\d+)$/.exec(token)?.[1] ?? Number.NaN);
    if (Number.isNaN(from)) throw refuse(400, 'invalid_page_token');
    const end = from + size;
    const more = end < voices.length;
    sendJson(response, entry, 200, {
      voices: voices.slice(from, end),
      has_more: more,
      total_count: voices.length,
      next_page_token: more ? `from-${end}` : null,
    });
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '/', 'http://localhost');
    const method = request.method ?? '';
    const body = method === 'POST' ? await readJson(request).catch((error: Error) => error) : null;
    const key = String(request.headers['xi-api-key'] ?? '');
    const entry: Seen = { key, method, path, query, body, status: 0, billed: 0 };
    seen.push(entry);
    try {
      if (body instanceof Error) throw body;
      const speech = /^\/v1\/text-to-speech\/([^/]+)\/with-timestamps$/.exec(path);
      const isDialogue = path === '/v1/text-to-dialogue/with-timestamps';
      if (speech || isDialogue) {
        if (method !== 'POST') throw refuse(405, 'method_not_allowed');
        if (request.headers['content-type'] !== 'application/json')
          throw refuse(415, 'unsupported_media_type');
        state.onSpeech(seen.filter(isSpeech).length);
        await speak(request, response, entry, () =>
          speech ? speechTurns(decodeURIComponent(speech[1] ?? ''), body) : dialogueTurns(body),
        );
      } else if (path === '/v2/voices' && method === 'GET') listVoices(request, response, entry);
      else throw refuse(404, 'not_found');
    } catch (error) {
      if (response.destroyed || request.socket.destroyed) return;
      const { status, detail, headers } =
        error instanceof Refused ? error : { status: 500, detail: String(error), headers: {} };
      sendJson(response, entry, status, { detail }, headers);
    }
  };

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    key: 'el-key-of-the-specs',
    voices,
    addVoice: (id: string, name: string) => {
      voices.push({ ...voice(name, 'female', 'american'), voice_id: id });
    },
    /** What came, in order; refused and broken requests too. */
    seen,
    speechRequests: () => seen.filter(isSpeech),
    billed,
    /** Answers the next `times` requests for speech with a fault. */
    fail: (fault: Fault, times = 1) => {
      for (let index = 0; index < times; index += 1) faults.push(fault);
    },
    forget: () => {
      seen.length = 0;
      faults.length = 0;
      state.mostAtOnce = 0;
    },
    mostAtOnce: () => state.mostAtOnce,
    /** How long speech takes to be made. */
    setDelay: (ms: number) => {
      state.delayMs = ms;
    },
    /** Called when a request for speech has come, before its answer. */
    onSpeech: (listener: (nth: number) => void) => {
      state.onSpeech = listener;
    },
    setAccount: (key: string, account: AccountOptions | null) =>
      account ? keys.set(key, account) : keys.delete(key),
    stop,
    [Symbol.asyncDispose]: stop,
  };
};

export type ElevenLabsServer = Awaited<ReturnType<typeof startElevenLabsServer>>;
