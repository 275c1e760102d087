import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPeople, type People } from './people.ts';

// The served document drives requests at every operation: such as it describes, such as it nearly describes, and such as
// nobody should send. Whatever comes, no answer is a 5xx, and each is one that the document describes.

type Json = { readonly [key: string]: unknown };
type Parameter = { readonly name: string; readonly in: string; readonly schema: Json };
type Operation = {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Json }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: Json }>> }>
  >;
};
type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
};

const RUNS = 10;
/** The same requests every time. */
const SEED = 20_260_105;

let people: People;
let document: Document;
let token: string;
/** Things that are there, for ids to hit sometimes. */
let ids: string[];
beforeAll(async () => {
  people = await openPeople({ UPLOAD_QUOTA_PER_USER: '1000000' });
  document = (await people.visitor.send('/openapi.json')).body as Document;
  const admin = await people.joinAsAdmin();
  const { md, id } = await people.upload(admin);
  const { jobId } = (await admin.http.post('/jobs', { md })).body as { jobId: string };
  ids = [jobId, id, admin.id, '01981a2b-3c4d-7e5f-8a6b-0123456789ab'];
  token = admin.token;
});
afterAll(() => people.system.world[Symbol.asyncDispose]());

/** What has broken servers before. */
const HOSTILE = [
  '',
  ' ',
  '\0',
  'null',
  '0',
  '-1',
  '1e999',
  '9'.repeat(400),
  "' OR 1=1 --",
  '{"$gt":""}',
  '$where',
  '../../etc/passwd',
  '%2e%2e%2f',
  '%00',
  '%',
  '<script>alert(1)</script>',
  '\u202e\ufeff\ud800',
  'é😀'.repeat(50),
  'x'.repeat(5_000),
  '__proto__',
  'constructor',
  'toString',
  '2026-02-30T25:61:61Z',
  '*',
] as const;
const hostileText = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 40 }));
const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  fc.constantFrom(
    null,
    true,
    0,
    -1,
    1e308,
    Number.MAX_SAFE_INTEGER + 2,
    [],
    {},
    [[]],
    { $gt: '' },
    { $ne: null },
    [{ $where: 'sleep(1000)' }],
    JSON.parse('{"__proto__": {"role": "admin"}}'),
    { constructor: { prototype: { isAdmin: true } } },
    { toString: 1, valueOf: null, toJSON: 'x' },
  ),
  fc.jsonValue({ maxDepth: 3 }),
);

const resolved = (schema: Json): Json => {
  const name = typeof schema.$ref === 'string' ? schema.$ref.split('/').at(-1) : undefined;
  return name === undefined ? schema : (document.components.schemas[name] ?? {});
};

const textOf = (schema: Json): fc.Arbitrary<string> => {
  if (schema.format === 'uuid') return fc.oneof(fc.constantFrom(...ids), fc.uuid());
  if (schema.format === 'date-time')
    return fc.constantFrom('2026-01-05T08:00:00.000Z', '2999-01-01T00:00:00+02:00');
  if (schema.format === 'email') return fc.uuid().map((name) => `${name}@example.com`);
  if (typeof schema.pattern === 'string')
    return fc.oneof(fc.stringMatching(new RegExp(schema.pattern)), hostileText);
  return fc.oneof(fc.constantFrom(...ids, '10', 'auto', 'lesson.md'), fc.string({ maxLength: 60 }));
};

/** Values that a schema describes, or nearly. */
const fitting = (given: Json, depth = 0): fc.Arbitrary<unknown> => {
  const schema = resolved(given);
  if (depth > 4) return fc.constant(null);
  if ('const' in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
  const choices = (schema.anyOf ?? schema.oneOf) as readonly Json[] | undefined;
  if (choices) return fc.oneof(...choices.map((choice) => fitting(choice, depth + 1)));
  switch (schema.type) {
    case 'object': {
      const fields = Object.entries((schema.properties ?? {}) as Record<string, Json>);
      const record = Object.fromEntries(
        fields.map(([name, field]) => [
          name,
          fc.oneof(
            { weight: 6, arbitrary: fitting(field, depth + 1) },
            { weight: 1, arbitrary: hostileValue },
          ),
        ]),
      );
      return fc.record(record, { requiredKeys: [] });
    }
    case 'array':
      return fc.array(fitting((schema.items ?? {}) as Json, depth + 1), { maxLength: 3 });
    case 'boolean':
      return fc.boolean();
    case 'integer':
    case 'number':
      return fc.integer({ min: -5, max: 1_000 });
    case 'null':
      return fc.constant(null);
    case 'string':
      return textOf(schema);
    default:
      return hostileValue;
  }
};

type Sent = {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string | FormData | undefined;
};

const encoded = (text: string) => encodeURIComponent(text.toWellFormed());

const requestOf = (path: string, operation: Operation): fc.Arbitrary<Sent> => {
  const parameters = operation.parameters ?? [];
  const inPath = Object.fromEntries(
    parameters
      .filter((each) => each.in === 'path')
      .map(({ name }) => [
        name,
        fc.oneof(
          fc.constantFrom(...ids),
          hostileText.map((text) => (text === '' || /^\.{1,2}$/.test(text) ? 'x' : text)),
        ),
      ]),
  );
  const query = Object.fromEntries(
    parameters
      .filter((each) => each.in === 'query')
      .map(({ name, schema }) => [
        name,
        fc.oneof(
          { weight: 3, arbitrary: fitting(schema).map(String) },
          { weight: 1, arbitrary: hostileText },
        ),
      ]),
  );
  const content = operation.requestBody?.content ?? {};
  const json = content['application/json'];
  const form = 'multipart/form-data' in content;
  const body = json
    ? fc.oneof(
        { weight: 6, arbitrary: fitting(json.schema).map((value) => JSON.stringify(value)) },
        { weight: 2, arbitrary: hostileValue.map((value) => JSON.stringify(value) ?? '') },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            '{',
            '{"a":1,"a":2}',
            '{"email":"a@example.com","email":{"$gt":""}}',
            '\ufeff{}',
            '"\\ud800"',
            '[1e400]',
          ),
        },
      )
    : form
      ? fc
          .record({ name: hostileText, text: fc.oneof(fc.constant('# Lesson'), hostileText) })
          .map(({ name, text }) => {
            const data = new FormData();
            data.set('file', new Blob([text]), `${name.toWellFormed()}.md`);
            return data;
          })
      : fc.constant(undefined);
  const headers = fc.record(
    {
      'x-request-id': fc.constantFrom('a', 'x'.repeat(300), '<script>'),
      'idempotency-key': fc.constantFrom('k', 'x'.repeat(255), 'x'.repeat(256), ' '),
      'last-event-id': fc.constantFrom('x', 'a-1', '9'.repeat(100)),
      'if-none-match': fc.constantFrom('*', '"x"', ','.repeat(500)),
      range: fc.constantFrom('bytes=0-', 'bytes=9-1', 'lines=1'),
      'x-forwarded-for': fc.constantFrom('1.2.3.4', 'x', "'"),
      cookie: fc.constantFrom('__Host-esl_access=x', ';;;=', '__proto__=1'),
    },
    { requiredKeys: [] },
  );
  return fc
    .record({ inPath: fc.record(inPath), query: fc.record(query, { requiredKeys: [] }), body, headers })
    .map((parts) => {
      const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encoded(String(parts.inPath[name])));
      const search = Object.entries(parts.query).map(([name, value]) => `${name}=${encoded(String(value))}`);
      return {
        path: search.length > 0 ? `${filled}?${search.join('&')}` : filled,
        headers: {
          ...parts.headers,
          ...(typeof parts.body === 'string' && { 'content-type': 'application/json' }),
        },
        body: parts.body,
      };
    });
};

const send = async (method: string, { path, headers, body }: Sent) => {
  const stop = new AbortController();
  const response = await fetch(people.url + path, {
    method: method.toUpperCase(),
    redirect: 'manual',
    headers: { ...headers, authorization: `Bearer ${token}` },
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]),
    ...(body !== undefined && { body }),
  });
  const type = response.headers.get('content-type')?.split(';')[0] ?? '';
  const text = type === 'text/event-stream' ? '' : await response.text();
  stop.abort();
  return { status: response.status, type, text };
};

describe('requests that the document describes, nearly describes, and would never', () => {
  it('are answered as the document says, and never with a fault of ours', async () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true });
    addFormats.default(ajv);
    ajv.addSchema({ $id: 'api', components: document.components });
    const rebased = (schema: Json): Json => JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/'));
    const validators = new Map<string, ReturnType<typeof ajv.compile>>();
    const validatorOf = (name: string, schema: Json) => {
      const known = validators.get(name) ?? ajv.compile(rebased(schema));
      validators.set(name, known);
      return known;
    };
    // What would end the session that all others use comes last, and is sent once.
    const operations = Object.entries(document.paths)
      .flatMap(([path, item]) =>
        Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
      )
      .filter(({ operation }) => operation.operationId !== 'logOut');
    let sent = 0;
    for (const { path, method, operation } of operations) {
      await fc.assert(
        fc.asyncProperty(requestOf(path, operation), async (request) => {
          const { status, type, text } = await send(method, request);
          sent += 1;
          const said = `${operation.operationId} ${request.path.slice(0, 200)} → ${status} ${text.slice(0, 300)}`;
          if (status >= 500) throw new Error(`a fault: ${said}`);
          // A path that names something else, such as a job called "events".
          if (status === 404 || status === 405 || status === 308) return;
          const described = operation.responses[String(status)];
          if (!described) throw new Error(`not described: ${said}`);
          const schema = described.content?.[type]?.schema;
          if (type !== 'application/json' || !schema) return;
          const isValid = validatorOf(`${operation.operationId} ${status}`, schema);
          if (!isValid(JSON.parse(text))) throw new Error(`${ajv.errorsText(isValid.errors)}: ${said}`);
        }),
        { numRuns: RUNS, seed: SEED, endOnFailure: true },
      );
    }
    expect(sent).toBeGreaterThanOrEqual(operations.length * RUNS);
    expect((await send('get', { path: '/auth/me', headers: {}, body: undefined })).status).toBe(200);
  }, 240_000);

  it('are refused before anybody has logged in, whatever they hold', async () => {
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).flatMap(([method, operation]) =>
        (operation as Operation & { security: object[] }).security.length > 0
          ? [{ path, method, operation }]
          : [],
      ),
    );
    for (const { path, method, operation } of operations) {
      const [request] = fc.sample(requestOf(path, operation), { numRuns: 1, seed: SEED });
      if (!request) continue;
      const { path: filled, body } = request;
      const response = await fetch(people.url + filled, {
        method: method.toUpperCase(),
        ...(body !== undefined && { body }),
      });
      await response.arrayBuffer();
      expect([operation.operationId, response.status < 500]).toEqual([operation.operationId, true]);
      if (response.status !== 401) expect([400, 404]).toContain(response.status);
    }
  });
});
