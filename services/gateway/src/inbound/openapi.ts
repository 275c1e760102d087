import { errorEnvelopeSchema } from '@esl-pipeline/contracts';
import { z } from 'zod';
import { IDEMPOTENCY_KEY } from './idempotency.ts';
import { type ErrorCode, statusOf } from './problem.ts';
import type { Answer, Route } from './route.ts';

type Json = Record<string, unknown>;

const COMPONENTS = '#/components/schemas/';
const componentRef = (id: string) => `${COMPONENTS}${id}`;

/** What any operation may answer, and what any that reads a body may. */
const ANY: readonly ErrorCode[] = ['invalid_request', 'unavailable', 'internal_error'];
const ANY_IDEMPOTENT: readonly ErrorCode[] = [
  'invalid_idempotency_key',
  'idempotency_key_reused',
  'idempotency_in_progress',
];
const ANY_WITH_BODY: readonly ErrorCode[] = ['invalid_body', 'payload_too_large', 'unsupported_media_type'];
/** What any that wants to know its caller may. */
const ANY_WITH_TOKEN: readonly ErrorCode[] = [
  'not_authenticated',
  'invalid_token',
  'token_expired',
  'user_inactive',
  'csrf_token_invalid',
];

/** The schema as input, so that objects stay open: clients must expect fields to be added. */
const AS_INPUT = { io: 'input', uri: componentRef } as const;

/** Every schema that has an id. */
const components = (): Json =>
  Object.fromEntries(
    Object.entries(z.toJSONSchema(z.globalRegistry, AS_INPUT).schemas).map(
      ([id, { $schema: _schema, $id: _id, ...schema }]) => [id, schema],
    ),
  );

const schemaOf = (schema: z.ZodType): Json => {
  const id = schema.meta()?.id;
  if (id) return { $ref: componentRef(id) };
  const { $schema: _schema, ...inline } = z.toJSONSchema(schema, AS_INPUT);
  return inline;
};

const pathOf = (path: string) => path.replaceAll(/[:*](\w+)/g, '{$1}');

const pathParameters = (path: string): Json[] =>
  [...path.matchAll(/[:*](\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));

const queryParameters = (query: z.ZodObject | undefined): Json[] =>
  Object.entries(query?.shape ?? {}).map(([name, schema]) => {
    const { description, ...described } = schemaOf(schema as z.ZodType);
    return {
      name,
      in: 'query',
      required: !(schema as z.ZodType).safeParse(undefined).success,
      ...(description !== undefined && { description }),
      schema: described,
    };
  });

const IDEMPOTENCY_HEADER: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'The same key and body within 24 hours get the same answer, with `Idempotent-Replayed: true`.',
  schema: { type: 'string', pattern: IDEMPOTENCY_KEY.source },
};

const answerOf = ({ description, schema, contentType }: Answer): Json => {
  const type = contentType ?? (schema && 'application/json');
  return { description, ...(type && { content: { [type]: schema ? { schema: schemaOf(schema) } : {} } }) };
};

const errorsOf = (route: Route, accounts: boolean): Json => {
  const wantsToken = accounts && route.access !== 'public';
  const codes = new Set([
    ...route.errors,
    ...(route.body ? ANY_WITH_BODY : []),
    ...(wantsToken ? ANY_WITH_TOKEN : []),
    ...(wantsToken && route.access !== 'viewer' ? (['forbidden'] as const) : []),
    ...(accounts && route.counts ? (['rate_limited'] as const) : []),
    ...(route.idempotent ? ANY_IDEMPOTENT : []),
    ...ANY,
  ]);
  const byStatus = Map.groupBy(codes, statusOf);
  const sorted = [...byStatus].sort(([a], [b]) => a - b);
  return Object.fromEntries(
    sorted.map(([status, of]) => [
      String(status),
      {
        description: `\`code\`: ${of.map((code) => `\`${code}\``).join(', ')}`,
        content: { 'application/json': { schema: schemaOf(errorEnvelopeSchema) } },
      },
    ]),
  );
};

/** Any one of these ways will do. */
const securityOf = ({ access, tokenInQuery }: Route): Json[] =>
  access === 'public'
    ? []
    : [{ bearer: [] }, { cookie: [] }, ...(tokenInQuery ? [{ accessTokenInQuery: [] }] : [])];

const SECURITY_SCHEMES: Json = {
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  cookie: { type: 'apiKey', in: 'cookie', name: '__Host-esl_access' },
  accessTokenInQuery: { type: 'apiKey', in: 'query', name: 'access_token' },
};

const operationOf = (route: Route, accounts: boolean): Json => {
  const parameters = [
    ...pathParameters(route.path),
    ...queryParameters(route.query),
    ...(route.idempotent ? [IDEMPOTENCY_HEADER] : []),
  ];
  const answers = Object.entries(route.answers).map(([status, answer]) => [status, answerOf(answer)]);
  return {
    operationId: route.name,
    tags: [route.tag],
    summary: route.summary,
    ...(accounts && { security: securityOf(route), 'x-least-role': route.access }),
    ...(parameters.length > 0 && { parameters }),
    ...(route.body && {
      requestBody: {
        required: route.body.required,
        content: { [route.body.contentType ?? 'application/json']: { schema: schemaOf(route.body.schema) } },
      },
    }),
    responses: { ...Object.fromEntries(answers), ...errorsOf(route, accounts) },
  };
};

/** The OpenAPI 3.1 document of a route table. */
export const openApi = (
  routes: readonly Route[],
  publicUrl: string,
  { accounts }: { readonly accounts: boolean },
): Json => {
  const byPath = Map.groupBy(routes, ({ path }) => pathOf(path));
  const paths = [...byPath].map(([path, ofPath]) => [
    path,
    Object.fromEntries(ofPath.map((route) => [route.method, operationOf(route, accounts)])),
  ]);
  return {
    openapi: '3.1.1',
    info: {
      title: 'esl-pipeline',
      version: '0.1.0',
      description: 'Turns ESL lessons in Markdown into narrated pages.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: publicUrl }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths: Object.fromEntries(paths),
    components: { schemas: components(), ...(accounts && { securitySchemes: SECURITY_SCHEMES }) },
  };
};
