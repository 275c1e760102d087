import { randomUUID } from 'node:crypto';
import type { Log } from '@esl/kit/log';
import { seconds } from '@esl/kit/metrics';
import { readContext, withContext } from '@esl/kit/request-context';
import { startSpan } from '@esl/kit/tracing';
import type { RequestHandler } from 'express';

const answered = seconds('esl_http_seconds', 'Time to answer a request', ['method', 'route', 'status']);

/** Methods are a bounded set in metrics, whatever clients send. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** What is logged for a client that hung up before there was an answer, as nginx does. */
const CLIENT_GONE = 499;

/** Gives the request its ids, and writes one line when it is over: never the path itself, never the query. */
export const requestLog =
  (log: Log): RequestHandler =>
  (request, response, next) => {
    const said = readContext({
      requestId: request.headers['x-request-id'],
      traceparent: request.headers.traceparent,
      tracestate: request.headers.tracestate,
    });
    const { method } = request;
    const knownMethod = METHODS.has(method) ? method : 'other';
    const requestId = said.requestId ?? randomUUID();
    const span = startSpan({ name: knownMethod, kind: 'server', isEntry: true }, { ...said, requestId });
    const startedAt = performance.now();
    response.setHeader('X-Request-Id', requestId);
    response.once('close', () => {
      const route: string = response.locals.route ?? 'none';
      const status = response.headersSent ? response.statusCode : CLIENT_GONE;
      const ms = Math.round((performance.now() - startedAt) * 10) / 10;
      withContext(span.context, () => log.info({ method, route, status, ms }, 'request'));
      if (!response.locals.streamed)
        answered.observe({ method: knownMethod, route, status: String(status) }, ms / 1_000);
      span.rename(`${knownMethod} ${route}`);
      span.set({
        'http.request.method': knownMethod,
        'http.route': route,
        'http.response.status_code': status,
      });
      span.end(status >= 500 ? String(status) : undefined);
    });
    withContext(span.context, next);
  };
