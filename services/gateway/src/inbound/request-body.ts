import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import express, { type RequestHandler } from 'express';
import type { z } from 'zod';
import { type ErrorCode, problem } from './problem.ts';

export const MAX_BODY_BYTES = 256 * 1024;

const NO_BODY = createHash('sha256').digest('base64url');
const hashes = new WeakMap<IncomingMessage, string>();

/** SHA-256 of the JSON body as it came, byte for byte. */
export const bodyHash = (request: IncomingMessage): string => hashes.get(request) ?? NO_BODY;

const readJson = express.json({
  limit: MAX_BODY_BYTES,
  strict: false,
  type: () => true,
  verify: (request, _response, bytes) => {
    if (request.headers['idempotency-key'] !== undefined)
      hashes.set(request, createHash('sha256').update(bytes).digest('base64url'));
  },
});

/** Reads a JSON body into `request.body`; undefined when there is none. */
export const jsonBody: RequestHandler = (request, response, next) => {
  const type = request.is(['json', '+json']);
  if (type === null || request.headers['content-length'] === '0') {
    request.body = undefined;
    next();
  } else if (type === false) {
    next(problem('unsupported_media_type', 'The body must be JSON (Content-Type: application/json).'));
  } else {
    readJson(request, response, next);
  }
};

export type JsonObject = Readonly<Record<string, unknown>>;

export const objectBody = (body: unknown, code: ErrorCode, what: string): JsonObject => {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw problem(code, `${what} must be a JSON object.`);
  return body as JsonObject;
};

/** Checks a body against its schema. The first faulty field, in the order of `codes`, gives the code. */
export const parseFields = <S extends z.ZodObject>(
  schema: S,
  codes: Readonly<Record<string, ErrorCode>>,
  body: JsonObject,
): z.infer<S> => {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  const isOf = (name: string) => (issue: { readonly path: string }) =>
    issue.path === name || issue.path.startsWith(`${name}.`);
  const field = Object.keys(codes).find((name) => issues.some(isOf(name))) ?? '';
  const fault = issues.find(isOf(field))?.message ?? 'is not valid';
  throw problem(codes[field] ?? 'invalid_body', `"${field}" ${sentence(fault)}.`, { details: { issues } });
};

/** zod's own messages stand alone (`Invalid input: …`); ours go on after the field's name. */
const sentence = (message: string) => (/^[A-Z]/.test(message) ? `is not valid: ${message}` : message);
