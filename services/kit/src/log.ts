import { pino } from 'pino';
import { currentContext } from './request-context.ts';

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

/** One JSON line per event on standard output, with the request's ids. */
export const createLog = (service: string, level: string, destination?: pino.DestinationStream): Log => {
  const options: pino.LoggerOptions = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    mixin: currentContext,
    redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '[redacted]' },
  };
  return destination ? pino(options, destination) : pino(options);
};
