import type { z } from 'zod';
import { problem } from './problem.ts';

/** Checks a query string against its schema. */
export const parseQuery = <S extends z.ZodObject>(schema: S, query: unknown): z.infer<S> => {
  const result = schema.safeParse(query);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  throw problem('invalid_query', `The parameter "${issues[0]?.path}" is not valid.`, { details: { issues } });
};
