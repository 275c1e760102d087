import cors from 'cors';
import type { RequestHandler } from 'express';

export type CorsSettings = {
  /** Exactly these, or any (`*`). */
  readonly origins: readonly string[];
  /** Whether browsers may send cookies along. */
  readonly credentials: boolean;
};

/** Answers preflights, and lets pages of other origins read answers. Off unless ENABLE_CORS says so. */
export const crossOrigin = ({ origins, credentials }: CorsSettings): RequestHandler =>
  cors({
    origin: origins.includes('*') ? '*' : [...origins],
    credentials,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: [
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'Last-Event-ID',
      'X-CSRF-Token',
      'X-Request-Id',
    ],
    exposedHeaders: ['ETag', 'Idempotent-Replayed', 'Retry-After', 'X-Request-Id'],
    maxAge: 600,
  });
