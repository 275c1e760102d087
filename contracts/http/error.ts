import { z } from 'zod';

/** Every error class a response may carry, with its HTTP status. */
export const ERROR_STATUS = {
  validation_failed: 400,
  security_validation_failed: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  invalid_state: 422,
  rate_limited: 429,
  internal_error: 500,
  not_implemented: 501,
  unavailable: 503,
} as const;

export type ErrorClass = keyof typeof ERROR_STATUS;

export const issueSchema = z.object({ path: z.string(), message: z.string() });
export type Issue = z.infer<typeof issueSchema>;

/** The one shape of every error answer. `code` is stable; `message` is one plain sentence for people. */
export const errorEnvelopeSchema = z
  .object({
    error: z.enum(Object.keys(ERROR_STATUS) as [ErrorClass, ...ErrorClass[]]),
    message: z.string(),
    code: z.string().regex(/^[a-z0-9_]+$/),
    details: z.looseObject({ issues: z.array(issueSchema).optional() }).optional(),
  })
  .meta({ id: 'Error' });
export type ErrorEnvelope = z.infer<typeof errorEnvelopeSchema>;
