import { describe, expect, it } from 'vitest';
import { openApi } from './openapi.ts';
import { actionRoutes } from './routes/actions.ts';
import { adminRoutes } from './routes/admin.ts';
import { authRoutes } from './routes/auth.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { docRoutes } from './routes/docs.ts';
import { eventRoutes } from './routes/events.ts';
import { fileRoutes } from './routes/files.ts';
import { healthRoutes } from './routes/health.ts';
import { jobRoutes } from './routes/jobs.ts';
import { optionRoutes } from './routes/options.ts';
import { settingsRoutes } from './routes/settings.ts';
import { uploadRoutes } from './routes/uploads.ts';
import { userRoutes } from './routes/user.ts';

type Json = Record<string, unknown>;
type Operation = {
  operationId: string;
  parameters?: { name: string; in: string; required: boolean; schema: Json }[];
  requestBody?: { content: Json };
  responses: Record<string, { description: string; content?: Json }>;
};

/** The routes are only described here, never called. */
const nothing = {} as never;
const routes = [
  ...eventRoutes(nothing, Date.now, nothing),
  ...jobRoutes({ submit: nothing, jobs: nothing, toDto: nothing }),
  ...actionRoutes(nothing),
  ...optionRoutes(nothing),
  ...fileRoutes(nothing),
  ...healthRoutes({}, () => false),
  ...docRoutes(() => ({})),
  ...adminRoutes(nothing),
  ...deadLetterRoutes(nothing),
  ...authRoutes(nothing),
  ...userRoutes(nothing),
  ...settingsRoutes(nothing),
  ...uploadRoutes(nothing),
];
const document = JSON.parse(JSON.stringify(openApi(routes, 'https://esl.example', { accounts: true })));
const paths: Record<string, Record<string, Operation>> = document.paths;
const operations = Object.entries(paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
);

const referencesIn = (value: unknown): string[] =>
  typeof value !== 'object' || value === null
    ? []
    : Object.entries(value).flatMap(([key, inner]) =>
        key === '$ref' ? [String(inner)] : referencesIn(inner),
      );

describe('the OpenAPI document', () => {
  it('is of version 3.1 and says what it is about', () => {
    expect(document).toMatchObject({
      openapi: expect.stringMatching(/^3\.1\.\d$/),
      info: { title: expect.any(String), version: expect.any(String) },
      servers: [{ url: 'https://esl.example' }],
    });
  });

  it('has an operation for every route, each with a name of its own', () => {
    expect(operations).toHaveLength(routes.length);
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(routes.length);
    expect(paths['/jobs/{jobId}/actions']?.post?.operationId).toBe('actOnJob');
    expect(paths['/files/{key}']?.get?.operationId).toBe('getFile');
  });

  it('declares exactly the parameters of each path', () => {
    for (const { path, operation } of operations) {
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(declared.map(({ name }) => name)).toEqual(
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      );
      expect(declared.every(({ required }) => required)).toBe(true);
      expect(path).not.toMatch(/[:*]/);
    }
  });

  it('names its parameters, required ones as such', () => {
    const query = (paths['/jobs/events']?.get?.parameters ?? []).map(({ name, required }) => [
      name,
      required,
    ]);
    expect(query).toEqual([
      ['jobId', true],
      ['lastEventId', false],
    ]);
    expect(paths['/jobs']?.get?.parameters?.every(({ required }) => !required)).toBe(true);
  });

  it('describes good and bad answers of each operation', () => {
    for (const { operation } of operations) {
      const statuses = Object.keys(operation.responses);
      expect(statuses.every((status) => /^[2345]\d\d$/.test(status))).toBe(true);
      expect(statuses.some((status) => status.startsWith('2'))).toBe(true);
      expect(statuses).toContain('500');
      for (const { description } of Object.values(operation.responses)) expect(description).toBeTruthy();
    }
    expect(paths['/jobs']?.post?.responses['400']?.description).toContain('`md_required`');
    expect(paths['/jobs']?.post?.responses['413']).toBeDefined();
  });

  it('refers only to what is there, and leaves no schema to another dialect', () => {
    const components = new Set(
      Object.keys(document.components.schemas).map((id) => `#/components/schemas/${id}`),
    );
    const references = new Set(referencesIn(document));
    expect(references.size).toBeGreaterThan(8);
    for (const reference of references) expect(components).toContain(reference);
    for (const id of components) expect(id).toMatch(/^[#/\w.-]+$/);
    expect(JSON.stringify(document)).not.toMatch(/"\$(schema|id|defs)"/);
  });

  it('leaves objects open, so that fields may be added', () => {
    expect(document.components.schemas.Job.additionalProperties).toBeUndefined();
    expect(document.components.schemas.SubmitJob.required).toEqual(['md']);
  });
});
