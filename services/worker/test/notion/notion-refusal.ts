import type { z } from 'zod';
import { type NewBlock, readNewBlocks } from './notion-rules.ts';

/** How Notion says no. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const invalid = (message: string) => new Refusal(400, 'validation_error', message);
export const missing = (what: string, id: string) =>
  new Refusal(
    404,
    'object_not_found',
    `Could not find ${what} with ID: ${id}. Make sure the relevant pages and databases are shared with your integration.`,
  );

/** What a request's body says, if it has the shape that Notion wants. */
export const check = <S extends z.ZodType>(schema: S, value: unknown, at = 'body'): z.infer<S> => {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = deepest(result.error.issues);
  throw invalid(`body failed validation: ${[at, ...issue.path].join('.')}: ${issue.message}`);
};

type Issue = { readonly path: PropertyKey[]; readonly message: string };
/** Of a union's faults the one that got farthest says most. */
const deepest = (issues: readonly z.core.$ZodIssue[], base: PropertyKey[] = []): Issue =>
  issues
    .map((issue): Issue => {
      const path = [...base, ...issue.path];
      if (issue.code !== 'invalid_union' || issue.errors.length === 0)
        return { path, message: issue.message };
      return (
        issue.errors
          .map((inner) => deepest(inner, path))
          .toSorted((a, b) => b.path.length - a.path.length)[0] ?? { path, message: '' }
      );
    })
    .toSorted((a, b) => b.path.length - a.path.length)[0] ?? { path: base, message: 'invalid' };

export const newBlocks = (given: unknown): NewBlock[] =>
  readNewBlocks(given, (path, message) => {
    throw invalid(`body failed validation: ${['body', ...path].join('.')}: ${message}`);
  });
