import type { MessageShape } from '@bufbuild/protobuf';
import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import type { ScopeSchema } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import type { Scope } from '../app/needs.ts';
import type { OwnerId } from '../domain/job.ts';

const scopeOf = (scope: MessageShape<typeof ScopeSchema> | undefined): Scope | null => {
  if (scope?.reach.case === 'ownerId' && scope.reach.value) return { ownerId: scope.reach.value as OwnerId };
  if (scope?.reach.case === 'everyone' && scope.reach.value) return 'everyone';
  return null;
};

/** Runs a call within its scope; a call without one is refused rather than given everything. */
export const within = async <T, Code extends string>(
  wire: MessageShape<typeof ScopeSchema> | undefined,
  run: (scope: Scope) => Promise<Outcome<T, Code>>,
): Promise<Outcome<T, Code | 'scope_required'>> => {
  const scope = scopeOf(wire);
  return scope ? await run(scope) : refuse('scope_required', 'The request says nobody’s jobs.');
};

const MAX_ACTOR_LENGTH = 200;

/** Who asks, as the timeline shows it. */
export const actorOf = (scope: Scope, said: string | undefined): string =>
  said?.slice(0, MAX_ACTOR_LENGTH) || (scope === 'everyone' ? 'system' : scope.ownerId);

export const answer = <T, R, Code extends string>(
  outcome: Outcome<T, Code>,
  shape: (value: T) => R,
): Outcome<R, Code> => (outcome.ok ? accept(shape(outcome.value)) : outcome);
