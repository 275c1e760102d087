import { pino } from 'pino';
import { currentContext, spanIdOf, traceIdOf } from './request-context.ts';

export type Log = pino.Logger;

/** Keys whose values never reach a log, at the top or one level down. */
const SECRET_KEYS = [
  'authorization',
  'cookie',
  'password',
  'currentPassword',
  'newPassword',
  'token',
  'accessToken',
  'access_token',
  'refreshToken',
  'secret',
  'apiKey',
  'elevenLabsKey',
  'notionToken',
];

/** The ids under which a line, a request and a trace are found from each other. */
const ids = () => {
  const { requestId, traceparent } = currentContext();
  return {
    ...(requestId && { requestId }),
    ...(traceparent && { traceId: traceIdOf(traceparent), spanId: spanIdOf(traceparent) }),
  };
};

/** One JSON line per event on standard output, with the request's ids. */
export const createLog = (service: string, level: string, destination?: pino.DestinationStream): Log => {
  const options: pino.LoggerOptions = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    mixin: ids,
    redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '[redacted]' },
  };
  return destination ? pino(options, destination) : pino(options);
};
