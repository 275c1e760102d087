import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { GrpcClient } from '@esl/kit/grpc-client';
import {
  deadLetterAnswerSchema,
  deadLetterListSchema,
  deadLetterRedrivenSchema,
  pageQuerySchema,
} from '@esl-pipeline/contracts';
import type { DeadLetter, JobAdminService } from '@esl-pipeline/contracts/esl/jobs/v1/job_admin_service';
import type { Audit, AuditKind } from '../../accounts/audit.ts';
import { clientOf } from '../client.ts';
import { notFound } from '../problem.ts';
import { parseQuery } from '../request-query.ts';
import type { Call, Handler, Route } from '../route.ts';

const DEFAULT_LIMIT = 25;

const letterDto = ({ id, subject, schema, consumer, reason, deadAt, bytes }: DeadLetter) => ({
  id,
  subject,
  schema,
  consumer,
  reason,
  deadAt: deadAt ? timestampDate(deadAt).toISOString() : null,
  bytes,
});

/** Messages that could not be handled: looked at, sent again, or dropped by an admin. */
export const deadLetterRoutes = ({
  jobAdmin,
  audit,
}: {
  readonly jobAdmin: GrpcClient<typeof JobAdminService>['call'];
  readonly audit: Audit;
}): Route[] => {
  const idOf = ({ request }: Call) => String(request.params.deadLetterId);
  const record = ({ principal, request }: Call, kind: AuditKind, deadLetterId: string) =>
    audit({
      kind,
      actorId: principal.ownerId,
      userId: null,
      address: clientOf(request).address,
      details: { deadLetterId },
    });

  const list: Handler = async ({ request, signal }) => {
    const { limit = DEFAULT_LIMIT, cursor = '' } = parseQuery(pageQuerySchema, request.query);
    const page = await jobAdmin.listDeadLetters({ pageSize: limit, pageToken: cursor }, signal);
    const deadLetters = page.deadLetters.map(letterDto);
    return {
      status: 200,
      body: { deadLetters, total: Number(page.total), nextCursor: page.nextPageToken || null },
    };
  };

  const get: Handler = async (call) => {
    const { deadLetter, payloadJson } = await jobAdmin.getDeadLetter({ id: idOf(call) }, call.signal);
    if (!deadLetter) throw notFound();
    const payload: unknown = payloadJson === '' ? null : JSON.parse(payloadJson);
    return { status: 200, body: { deadLetter: letterDto(deadLetter), payload } };
  };

  const redrive: Handler = async (call) => {
    const id = idOf(call);
    const { subject } = await jobAdmin.redriveDeadLetter({ id }, call.signal);
    record(call, 'dead_letter_redriven', id);
    return { status: 200, body: { message: 'Sent again.', subject } };
  };

  const drop: Handler = async (call) => {
    const id = idOf(call);
    await jobAdmin.dropDeadLetter({ id }, call.signal);
    record(call, 'dead_letter_dropped', id);
    return { status: 204, body: null };
  };

  const common = { reach: 'extended', access: 'admin', tag: 'Admin' } as const;
  return [
    {
      ...common,
      method: 'get',
      path: '/admin/dead-letters',
      name: 'listDeadLetters',
      summary: 'Messages that could not be handled',
      query: pageQuerySchema,
      answers: { 200: { description: 'The latest first.', schema: deadLetterListSchema } },
      errors: ['invalid_query'],
      handle: list,
    },
    {
      ...common,
      method: 'get',
      path: '/admin/dead-letters/:deadLetterId',
      name: 'getDeadLetter',
      summary: 'Such a message, with what it carried',
      answers: { 200: { description: 'The message.', schema: deadLetterAnswerSchema } },
      errors: ['not_found'],
      handle: get,
    },
    {
      ...common,
      method: 'post',
      path: '/admin/dead-letters/:deadLetterId/redrive',
      name: 'redriveDeadLetter',
      summary: 'Send it again to where it came from',
      answers: { 200: { description: 'It is on its way.', schema: deadLetterRedrivenSchema } },
      errors: ['not_found'],
      handle: redrive,
    },
    {
      ...common,
      method: 'delete',
      path: '/admin/dead-letters/:deadLetterId',
      name: 'dropDeadLetter',
      summary: 'Forget it',
      answers: { 204: { description: 'It is gone.' } },
      errors: ['not_found'],
      handle: drop,
    },
  ];
};
