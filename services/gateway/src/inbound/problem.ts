import { BlobStoreFault } from '@esl/kit/blob-store';
import { CallFailed, Refused } from '@esl/kit/grpc-client';
import type { Refusal } from '@esl/kit/outcome';
import { currentContext } from '@esl/kit/request-context';
import { ERROR_STATUS, type ErrorClass, type ErrorEnvelope } from '@esl-pipeline/contracts';
import { MongoNetworkError, MongoServerSelectionError } from 'mongodb';
import { TooManyPasswords } from '../accounts/passwords.ts';
import { TooManyLessons } from '../uploads/lesson-checker.ts';

/** The class of every code that the gateway itself answers with. Other services' codes: `CLASS_OF_REFUSAL`. */
export const CLASS_OF = {
  invalid_body: 'validation_failed',
  invalid_path: 'validation_failed',
  invalid_request: 'validation_failed',
  invalid_query: 'validation_failed',
  md_required: 'validation_failed',
  md_not_found: 'validation_failed',
  invalid_preset: 'validation_failed',
  invalid_with_tts: 'validation_failed',
  invalid_upload: 'validation_failed',
  invalid_voice_id: 'validation_failed',
  invalid_voice_accent: 'validation_failed',
  invalid_force_tts: 'validation_failed',
  invalid_notion_database: 'validation_failed',
  invalid_mode: 'validation_failed',
  invalid_priority: 'validation_failed',
  invalid_run_at: 'validation_failed',
  invalid_batch: 'validation_failed',
  empty_edit: 'validation_failed',
  invalid_text: 'validation_failed',
  unknown_preset: 'validation_failed',
  unknown_notion_database: 'validation_failed',
  invalid_action_type: 'validation_failed',
  invalid_payload: 'validation_failed',
  invalid_reason: 'validation_failed',
  job_id_required: 'validation_failed',
  too_many_job_ids: 'validation_failed',
  range_not_satisfiable: 'validation_failed',
  invalid_idempotency_key: 'validation_failed',
  idempotency_key_reused: 'invalid_state',
  idempotency_in_progress: 'conflict',
  invalid_webhook_url: 'validation_failed',
  invalid_webhook_events: 'validation_failed',
  too_many_webhooks: 'invalid_state',
  webhooks_not_configured: 'invalid_state',
  missing_fields: 'validation_failed',
  missing_body: 'validation_failed',
  missing_refresh_token: 'validation_failed',
  invalid_email: 'validation_failed',
  weak_password: 'validation_failed',
  invalid_role: 'validation_failed',
  invalid_tts_provider: 'validation_failed',
  invalid_tts_mode: 'validation_failed',
  invalid_elevenlabs_key: 'validation_failed',
  invalid_notion_token: 'validation_failed',
  not_authenticated: 'unauthorized',
  invalid_token: 'unauthorized',
  token_expired: 'unauthorized',
  user_inactive: 'unauthorized',
  invalid_credentials: 'unauthorized',
  invalid_refresh_token: 'unauthorized',
  no_file: 'validation_failed',
  file_validation_failed: 'validation_failed',
  security_validation_failed: 'security_validation_failed',
  file_too_large: 'payload_too_large',
  quota_exceeded: 'payload_too_large',
  csrf_token_invalid: 'forbidden',
  email_exists: 'conflict',
  rate_limited: 'rate_limited',
  link_expired: 'forbidden',
  forbidden: 'forbidden',
  not_found: 'not_found',
  method_not_allowed: 'method_not_allowed',
  payload_too_large: 'payload_too_large',
  unsupported_media_type: 'unsupported_media_type',
  invalid_state: 'invalid_state',
  unavailable: 'unavailable',
  not_ready: 'unavailable',
  too_many_streams: 'unavailable',
  internal_error: 'internal_error',
} as const satisfies Record<string, ErrorClass>;

export type ErrorCode = keyof typeof CLASS_OF;

/** The HTTP status of a code: its class's, but for the one that HTTP names itself. */
export const statusOf = (code: ErrorCode): number =>
  code === 'range_not_satisfiable' ? 416 : ERROR_STATUS[CLASS_OF[code]];

type Extras = {
  readonly details?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
};

/** An answer that is an error. */
export class Problem extends Error {
  override name = 'Problem';
  readonly status: number;
  readonly envelope: ErrorEnvelope;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, envelope: ErrorEnvelope, headers: Readonly<Record<string, string>> = {}) {
    super(`${envelope.code}: ${envelope.message}`);
    this.status = status;
    this.envelope = envelope;
    this.headers = headers;
  }
}

export const problem = (code: ErrorCode, message: string, { details, headers }: Extras = {}): Problem =>
  new Problem(statusOf(code), { error: CLASS_OF[code], message, code, ...(details && { details }) }, headers);

/** A refusal of one of our own use cases. */
export const refused = ({ code, message, details }: Refusal<ErrorCode>): Problem => {
  const retryAfterS = details?.retryAfterS;
  return problem(code, message, {
    ...(details && { details }),
    ...(typeof retryAfterS === 'number' && { headers: { 'retry-after': String(retryAfterS) } }),
  });
};

export const notFound = () => problem('not_found', 'There is nothing here.');
export const jobNotFound = () => problem('not_found', 'There is no such job.');

/** Status codes of gRPC that matter here (grpc/grpc, doc/statuscodes.md). */
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;

/** What a refusal means by its gRPC status; anything else is a fault. */
const CLASS_OF_REFUSAL: Readonly<Record<number, ErrorClass>> = {
  3: 'validation_failed', // INVALID_ARGUMENT
  5: 'not_found', // NOT_FOUND
  6: 'conflict', // ALREADY_EXISTS
  7: 'forbidden', // PERMISSION_DENIED
  9: 'invalid_state', // FAILED_PRECONDITION
};

/** Codes of other services that clients know under another name. */
const PUBLIC_CODE: Readonly<Record<string, string>> = {
  job_not_found: 'not_found',
  dead_letter_not_found: 'not_found',
  batch_not_found: 'not_found',
  webhook_not_found: 'not_found',
  delivery_not_found: 'not_found',
  job_cannot_move: 'invalid_state',
  invalid_page_token: 'invalid_query',
};

/** Refusals of what the gateway itself put into a call: nothing the client could mend. */
const OUR_FAULTS = new Set([
  'scope_required',
  'invalid_job_id',
  'too_many_jobs',
  'invalid_webhook_id',
  'invalid_batch_id',
  'invalid_batch_size',
]);

const ofRefusal = ({ refusal, status }: Refused): Problem | null => {
  const error = CLASS_OF_REFUSAL[status];
  if (!error || OUR_FAULTS.has(refusal.code)) return null;
  const { message, details } = refusal;
  const code = PUBLIC_CODE[refusal.code] ?? refusal.code;
  return new Problem(ERROR_STATUS[error], { error, message, code, ...(details && { details }) });
};

/** Errors of body-parser and the router carry a status and, mostly, a type. */
const ofParser = (error: unknown): Problem | null => {
  const { type, status, statusCode } = error as { type?: string; status?: number; statusCode?: number };
  switch (type) {
    case 'entity.parse.failed':
      return problem('invalid_body', 'The body is not valid JSON.');
    case 'entity.too.large':
      return problem('payload_too_large', 'The body is larger than 256 KiB.', {
        headers: { connection: 'close' },
      });
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return problem('unsupported_media_type', 'The body must be JSON in UTF-8.');
  }
  if (error instanceof URIError) return problem('invalid_path', 'The path is not well encoded.');
  const refused = status ?? statusCode ?? 500;
  return refused >= 400 && refused < 500
    ? problem('invalid_request', 'The request could not be read.')
    : null;
};

const unavailable = () =>
  problem('unavailable', 'A part of the system does not answer now; try again shortly.', {
    headers: { 'retry-after': '1' },
  });

/** Faults that pass by themselves. */
const UNAVAILABLE_ERRORS = [MongoNetworkError, MongoServerSelectionError, TooManyPasswords, TooManyLessons];

/** What a thrown value means to the client; null for a fault, which is none of the client's business. */
export const expected = (error: unknown): Problem | null => {
  if (error instanceof Problem) return error;
  if (error instanceof BlobStoreFault) return unavailable();
  if (error instanceof Refused || error instanceof CallFailed) {
    // A service may itself be waiting for another, and say so with a refusal.
    if (error.status === UNAVAILABLE || error.status === DEADLINE_EXCEEDED) return unavailable();
    return error instanceof Refused ? ofRefusal(error) : null;
  }
  if (UNAVAILABLE_ERRORS.some((kind) => error instanceof kind)) return unavailable();
  return typeof error === 'object' && error !== null ? ofParser(error) : null;
};

export const fault = (): Problem => {
  const { requestId } = currentContext();
  return problem('internal_error', 'Something went wrong here.', { details: { requestId } });
};
