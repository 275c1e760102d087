import { randomUUID } from 'node:crypto';
import type { Log } from '@esl/kit/log';
import { seconds } from '@esl/kit/metrics';
import { withContext } from '@esl/kit/request-context';
import type { RequestHandler } from 'express';

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;
/** W3C Trace Context, version 00; all-zero ids are not ids. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

const hexOfUuid = () => randomUUID().replaceAll('-', '');
const newTraceparent = () => `00-${hexOfUuid()}-${hexOfUuid().slice(0, 16)}-01`;

const kept = (given: string | string[] | undefined, wellFormed: RegExp): string | null =>
  typeof given === 'string' && wellFormed.test(given) ? given : null;

const answered = seconds('esl_http_seconds', 'Time to answer a request', ['method', 'route', 'status']);

/** Methods are a bounded set in metrics, whatever clients send. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** What is logged for a client that hung up before there was an answer, as nginx does. */
const CLIENT_GONE = 499;

/** Gives the request its ids, and writes one line when it is over: never the path itself, never the query. */
export const requestLog =
  (log: Log): RequestHandler =>
  (request, response, next) => {
    const requestId = kept(request.headers['x-request-id'], REQUEST_ID) ?? randomUUID();
    const traceparent = kept(request.headers.traceparent, TRACEPARENT) ?? newTraceparent();
    const context = { requestId, traceparent };
    const startedAt = performance.now();
    response.setHeader('X-Request-Id', requestId);
    response.once('close', () => {
      const { method } = request;
      const route: string = response.locals.route ?? 'none';
      const status = response.headersSent ? response.statusCode : CLIENT_GONE;
      const ms = Math.round((performance.now() - startedAt) * 10) / 10;
      withContext(context, () => log.info({ method, route, status, ms }, 'request'));
      if (!response.locals.streamed) {
        const label = METHODS.has(method) ? method : 'other';
        answered.observe({ method: label, route, status: String(status) }, ms / 1_000);
      }
    });
    withContext(context, next);
  };
