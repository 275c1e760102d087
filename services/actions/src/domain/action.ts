import { accept, type Outcome, type Refusal, refuse } from '@esl/kit/outcome';
import type { JobState } from '@esl-pipeline/contracts/http/job';
import { ACTION_PAYLOAD_CODES, type JobActionType } from '@esl-pipeline/contracts/http/job-actions';
import type { z } from 'zod';

export type PayloadCode =
  | (typeof ACTION_PAYLOAD_CODES)[keyof typeof ACTION_PAYLOAD_CODES]
  | 'invalid_payload'
  | 'empty_edit';

export type ActionRefusal =
  | PayloadCode
  | 'invalid_action_type'
  | 'scope_required'
  | 'job_not_found'
  | 'invalid_state'
  | 'unknown_preset'
  | 'unknown_notion_database'
  | 'unavailable';

/** What an action did. */
export type Done = { readonly message: string; readonly newJobId?: string };

/** An action with a payload it understands, ready to be carried out. */
export type Ready<Target> = {
  readonly payload: object;
  readonly run: (target: Target, signal: AbortSignal) => Promise<Outcome<Done, ActionRefusal>>;
};

/** One action a user may take on a job. */
export type Action<Target> = {
  readonly type: JobActionType;
  readonly label: string;
  readonly description: string;
  readonly requiresFields: readonly string[];
  readonly allowedIn: readonly JobState[];
  readonly read: (payload: unknown) => Outcome<Ready<Target>, PayloadCode>;
};

const isField = (name: unknown): name is keyof typeof ACTION_PAYLOAD_CODES =>
  typeof name === 'string' && Object.hasOwn(ACTION_PAYLOAD_CODES, name);

/** The first bad field gives the code, `details.issues` has them all. */
const payloadRefusal = (error: z.ZodError): Outcome<never, PayloadCode> => {
  const issues = error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  const field = error.issues[0]?.path[0];
  return isField(field)
    ? refuse(ACTION_PAYLOAD_CODES[field], `The field ${field} is not valid.`, { issues })
    : refuse('invalid_payload', 'The payload must be an object.', { issues });
};

/** Joins an action's data with its payload's schema and the function that carries it out. */
export const defineAction = <Payload extends object, Target>({
  payload: schema,
  refuses,
  run,
  ...action
}: Omit<Action<Target>, 'read'> & {
  readonly payload: z.ZodType<Payload>;
  /** What the schema cannot say about a payload. */
  readonly refuses?: (payload: Payload) => Refusal<PayloadCode> | null;
  readonly run: (
    target: Target,
    payload: Payload,
    signal: AbortSignal,
  ) => Promise<Outcome<Done, ActionRefusal>>;
}): Action<Target> => ({
  ...action,
  read: (value) => {
    const read = schema.safeParse(value);
    if (!read.success) return payloadRefusal(read.error);
    const payload = read.data;
    const refusal = refuses?.(payload);
    if (refusal) return { ok: false, refusal };
    return accept({ payload, run: (target: Target, signal: AbortSignal) => run(target, payload, signal) });
  },
});

/** Names the action and the state, for a job that is in none of the states the action is allowed in. */
export const invalidState = (action: JobActionType, state: string) =>
  refuse('invalid_state', `The action ${action} is not possible while the job is ${state}.`, {
    state,
    action,
  });
