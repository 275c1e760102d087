import { errorEnvelopeSchema, lessonReportSchema } from '@esl-pipeline/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { client, type GatewayWorld, openGatewayWorld } from './gateway-world.ts';

let system: GatewayWorld;
let http: ReturnType<typeof client>;
beforeAll(async () => {
  system = await openGatewayWorld();
  http = client((await system.startGateway()).url);
  await system.writeLesson('lesson.md', '# As it is in the file\n');
});
afterAll(() => system.world[Symbol.asyncDispose]());

const validate = (body: unknown) => http.post('/lessons/validate', body);

describe('POST /lessons/validate', () => {
  it('says what a lesson would become', async () => {
    const { status, body } = await validate({ text: '# Tea', withTts: true, preset: 'calm-blue' });
    expect(status).toBe(200);
    expect(lessonReportSchema.strict().parse(body)).toEqual({
      ok: true,
      findings: [],
      meta: { title: 'A lesson', student: 'Sol', level: 'b1', topic: 'tea' },
      plan: {
        mode: 'dialogue',
        segments: 2,
        cast: [{ speaker: 'Sol', voiceId: 'v-001', voiceName: 'Wren', source: 'auto' }],
        characters: 20,
        estimatedCost: 10.5,
        blocks: 4,
      },
    });
    expect(system.validated.at(-1)).toEqual({
      text: '# Tea',
      ownerId: 'anonymous',
      preset: 'calm-blue',
      withTts: true,
    });
  });

  it('says what is wrong, with no plan', async () => {
    const { body } = await validate({ text: 'broken' });
    expect(lessonReportSchema.strict().parse(body)).toEqual({
      ok: false,
      findings: [{ code: 'SECTION_ORDER', severity: 'error', message: 'Out of order.', line: 3, path: null }],
      meta: null,
      plan: null,
    });
  });

  it('takes a lesson by its name, and makes no job of it', async () => {
    const { status } = await validate({ md: 'lesson.md' });
    expect(status).toBe(200);
    expect(system.validated.at(-1)).toMatchObject({ text: '# As it is in the file\n' });
    expect((await http.send('/jobs')).body).toMatchObject({ total: 0 });
  });

  it('takes any text that JSON can carry', async () => {
    for (const text of ['', '\0', '\ud800 alone', 'x'.repeat(200_000)])
      expect((await validate({ text })).status).toBe(200);
  });

  it.each([
    [400, 'invalid_body', []],
    [400, 'md_required', {}],
    [400, 'invalid_text', { text: 7 }],
    [400, 'invalid_text', { text: 'a', md: 'lesson.md' }],
    [400, 'md_required', { md: ' ' }],
    [400, 'md_not_found', { md: '../lesson.md' }],
    [400, 'invalid_mode', { text: 'a', mode: 'song' }],
    [400, 'unknown_preset', { text: 'a', preset: 'neon' }],
    [413, 'payload_too_large', { text: 'x'.repeat(256 * 1024) }],
  ])('answers %i %s', async (status, code, body) => {
    const answer = await validate(body);
    expect([answer.status, errorEnvelopeSchema.strict().parse(answer.body).code]).toEqual([status, code]);
  });

  it('is 503 while no worker answers', async () => {
    const lonely = await system.startGateway({ LESSONS_ADDR: '127.0.0.1:1', RPC_DEADLINE_MS: '200' });
    expect((await client(lonely.url).post('/lessons/validate', { text: 'a' })).status).toBe(503);
  });
});
