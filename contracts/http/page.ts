import { z } from 'zod';

/** The part of a query that says which page of a list. Every value arrives as one string. */
export const pageQuerySchema = z.object({
  limit: z
    .string()
    .regex(/^[1-9]\d?$|^100$/, 'must be a whole number from 1 to 100')
    .transform(Number)
    .optional(),
  cursor: z.string().min(1).max(512).optional(),
});
