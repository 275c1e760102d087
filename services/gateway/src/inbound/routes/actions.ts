import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { GrpcClient } from '@esl/kit/grpc-client';
import {
  ACTION_PAYLOAD_CODES,
  type JobActionResponse,
  jobAcceptedSchema,
  jobActionRequestSchema,
  jobActionResponseSchema,
  rerunAudioSchema,
} from '@esl-pipeline/contracts';
import type { ActionsService } from '@esl-pipeline/contracts/esl/actions/v1/actions_service';
import { scopeOf } from '../principal.ts';
import { problem } from '../problem.ts';
import { objectBody } from '../request-body.ts';
import type { Call, Handler, Route } from '../route.ts';

type Scalars = Record<string, string | boolean>;

/** Of all actions this one makes a job. */
const RERUN_AUDIO = 'rerun_audio' satisfies JobActionResponse['actionType'];

const makesJob = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && 'type' in body && body.type === RERUN_AUDIO;

/**
 * The fields of a payload that actions know. Their values are checked by the actions service; here only what could not
 * travel is refused: nested values, and numbers, are wrong for every field there is.
 */
const readPayload = (payload: unknown): Scalars => {
  if (payload === undefined) return {};
  const given = objectBody(payload, 'invalid_payload', 'The payload');
  const known: Scalars = {};
  for (const [field, code] of Object.entries(ACTION_PAYLOAD_CODES)) {
    if (!Object.hasOwn(given, field)) continue;
    const value = given[field];
    if (typeof value !== 'string' && typeof value !== 'boolean')
      throw problem(code, `"${field}" is not valid.`, {
        details: { issues: [{ path: field, message: 'wrong type' }] },
      });
    known[field] = value;
  }
  return known;
};

export const actionRoutes = ({ execute }: GrpcClient<typeof ActionsService>['call']): Route[] => {
  const run = async ({ principal, request, newId }: Call, type: string, payload: Scalars) => {
    const jobId = String(request.params.jobId);
    const done = await execute({
      scope: scopeOf(principal),
      actorId: principal.ownerId,
      jobId,
      type,
      payload,
      newJobId: newId(),
    });
    return {
      success: true,
      message: done.message,
      jobId,
      actionType: type as JobActionResponse['actionType'],
      timestamp: (done.at ? timestampDate(done.at) : new Date()).toISOString(),
      newJobId: done.newJobId ?? null,
    } satisfies JobActionResponse;
  };

  const act: Handler = async (call) => {
    const { type, payload } = objectBody(call.request.body, 'invalid_body', 'The body');
    if (typeof type !== 'string') throw problem('invalid_action_type', '"type" must name an action.');
    return { status: 200, body: await run(call, type, readPayload(payload)) };
  };

  const rerunAudio: Handler = async (call) => {
    const { body = {} } = call.request;
    const { newJobId } = await run(
      call,
      RERUN_AUDIO,
      readPayload(objectBody(body, 'invalid_body', 'The body')),
    );
    return { status: 202, body: { jobId: newJobId } };
  };

  const { voiceId, voiceAccent, forceTts } = ACTION_PAYLOAD_CODES;
  return [
    {
      method: 'post',
      path: '/jobs/:jobId/actions',
      reach: 'extended',
      access: 'user',
      tag: 'Jobs',
      name: 'actOnJob',
      idempotent: 'stored',
      counts: (body) => (makesJob(body) ? 'submission' : null),
      summary: 'Carry out an action on a job',
      body: { schema: jobActionRequestSchema, required: true },
      answers: { 200: { description: 'Done.', schema: jobActionResponseSchema } },
      errors: [
        'invalid_action_type',
        'invalid_payload',
        ...Object.values(ACTION_PAYLOAD_CODES),
        'not_found',
        'invalid_state',
      ],
      handle: act,
    },
    {
      method: 'post',
      path: '/jobs/:jobId/rerun/audio',
      reach: 'extended',
      access: 'user',
      tag: 'Jobs',
      name: 'rerunAudio',
      idempotent: 'stored',
      counts: 'submission',
      summary: 'Narrate a finished lesson again, as a new job',
      body: { schema: rerunAudioSchema, required: false },
      answers: { 202: { description: 'The new job.', schema: jobAcceptedSchema } },
      errors: [voiceId, voiceAccent, forceTts, 'not_found', 'invalid_state'],
      handle: rerunAudio,
    },
  ];
};
