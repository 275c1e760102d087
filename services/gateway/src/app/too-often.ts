import { refuse } from '@esl/kit/outcome';

export type LimitedCode = 'rate_limited';

/** The refusal of what came too often, with the whole seconds to wait. */
export const tooOften = (waitMs: number, what: string) => {
  const retryAfterS = Math.max(1, Math.ceil(waitMs / 1_000));
  return refuse('rate_limited', `${what} Try again in ${retryAfterS} s.`, { retryAfterS });
};
