import type { Role } from '@esl-pipeline/contracts';
import type { Request, Response } from 'express';
import type { z } from 'zod';
import type { Principal } from './principal.ts';
import type { ErrorCode } from './problem.ts';

export type Call = {
  /** On a public route: whoever nobody in particular is. */
  readonly principal: Principal;
  readonly request: Request;
  readonly response: Response;
  /** Fires when the client has gone. */
  readonly signal: AbortSignal;
  /** The next id of something that this request makes: UUIDv7, the same ones when an idempotent request is repeated. */
  readonly newId: () => string;
};

/** A JSON answer; a 204 or 304 has no body. It is not to be stored by anyone unless its headers say otherwise. */
export type Reply = {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
};

/** Null: the handler has answered by itself. Errors are thrown. */
export type Handler = (call: Call) => Promise<Reply | null>;

/** A good answer, as documented. Without a schema it is no JSON. */
export type Answer = {
  readonly description: string;
  readonly schema?: z.ZodType;
  readonly contentType?: string;
};

/** What calls are counted as, for each caller (rate-limit.ts). */
export type Counted = 'upload' | 'submission';

/** One operation: Express routes, 405 answers and the OpenAPI document are all made from these. */
export type Route = {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** In Express's notation: `:name` is one segment, `*name` the rest. */
  readonly path: string;
  /** Only `core` routes exist while the extended API is off. */
  readonly reach: 'core' | 'extended';
  /** Who may call it: anyone, without saying who; or a caller of at least this role. */
  readonly access: 'public' | Role;
  readonly tag:
    | 'Jobs'
    | 'Batches'
    | 'Lessons'
    | 'Events'
    | 'Options'
    | 'Files'
    | 'Webhooks'
    | 'Accounts'
    | 'Admin'
    | 'Service';
  /** Also the OpenAPI operation id. */
  readonly name: string;
  readonly summary: string;
  /**
   * Takes `Idempotency-Key`. `stored`: the answer is kept and given again. `repeated`: it holds a secret and is not kept,
   * the request is carried out again with the same ids.
   */
  readonly idempotent?: 'stored' | 'repeated';
  /** JSON, unless `contentType` says otherwise; then the handler reads it. */
  readonly body?: {
    readonly schema: z.ZodType;
    readonly required: boolean;
    readonly contentType?: 'multipart/form-data';
  };
  /** The access token may also be the query parameter `access_token`, for clients that cannot send headers. */
  readonly tokenInQuery?: true;
  /** What a call counts as. A function where only the JSON body tells; null is nothing. */
  readonly counts?: Counted | ((body: unknown) => Counted | null);
  readonly query?: z.ZodObject;
  readonly answers: Readonly<Record<number, Answer>>;
  /** Besides those that any route, or any route with a body, may answer. */
  readonly errors: readonly ErrorCode[];
  readonly handle: Handler;
};
