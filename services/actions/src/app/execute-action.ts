import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { type Action, type ActionRefusal, type Done, invalidState } from '../domain/action.ts';
import type { ActionLog, Aim, Jobs, LoggedAction, Scope } from './needs.ts';

export type ActionRequest = {
  readonly scope: Scope | undefined;
  /** Who acts. */
  readonly actorId: string;
  readonly jobId: string;
  readonly type: string;
  readonly payload: unknown;
  /** For a job that the action makes; with the same id a repeated request makes no second one. */
  readonly newJobId: string;
};

type Parts = {
  readonly actions: readonly Action<Aim>[];
  readonly jobs: Pick<Jobs, 'find'>;
  readonly log: ActionLog;
  readonly clock: () => Date;
};

/** Ids and types come from outside: what the log keeps of them is bounded. */
const bounded = (text: string) => text.slice(0, 100);

/** Carries out one action; payload, job and state are checked in that order. Every request is logged. */
export const executeAction =
  ({ actions, jobs, log, clock }: Parts) =>
  async (
    request: ActionRequest,
    signal: AbortSignal,
  ): Promise<Outcome<Done & { readonly at: Date }, ActionRefusal>> => {
    const at = clock();
    let payload: object | null = null;

    const attempt = async (): Promise<Outcome<Done, ActionRefusal>> => {
      const action = actions.find(({ type }) => type === request.type);
      if (!action) return refuse('invalid_action_type', 'There is no action of that type.');
      const ready = action.read(request.payload);
      if (!ready.ok) return ready;
      payload = ready.value.payload;
      const target = await jobs.find(request.scope, request.jobId, signal);
      if (!target.ok) return target;
      const { state } = target.value;
      if (!action.allowedIn.includes(state)) return invalidState(action.type, state);
      const { actorId, newJobId } = request;
      return await ready.value.run({ ...target.value, actorId, newJobId }, signal);
    };

    const record = (result: Pick<LoggedAction, 'outcome' | 'newJobId'>) =>
      log.append({
        jobId: bounded(request.jobId),
        actorId: bounded(request.actorId),
        type: bounded(request.type),
        payload,
        at,
        ...result,
      });

    try {
      const outcome = await attempt();
      if (!outcome.ok) {
        await record({ outcome: outcome.refusal.code });
        return outcome;
      }
      const { newJobId } = outcome.value;
      await record({ outcome: 'done', ...(newJobId !== undefined && { newJobId }) });
      return accept({ ...outcome.value, at });
    } catch (error) {
      await record({ outcome: 'failed' });
      throw error;
    }
  };
