import { eventually } from '@esl/kit/testing/world';
import {
  deadLetterAnswerSchema,
  deadLetterListSchema,
  deadLetterRedrivenSchema,
} from '@esl-pipeline/contracts';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectProblem } from './gateway-world.ts';
import { openPeople, type Person } from './people.ts';

let people: Awaited<ReturnType<typeof openPeople>>;
let admin: Person;
beforeAll(async () => {
  people = await openPeople();
  admin = await people.joinAsAdmin();
});
afterAll(() => people.system.world[Symbol.asyncDispose]());

const list = async (query = '') =>
  deadLetterListSchema.strict().parse((await admin.http.send(`/admin/dead-letters${query}`)).body);
const first = async (total: number) => {
  const found = await eventually(async () => {
    const page = await list('?limit=1');
    return page.total === total ? page : null;
  });
  const [letter] = found.deadLetters;
  if (!letter) throw new Error('the list is empty');
  return letter;
};

describe('a message that cannot be handled', () => {
  it('is listed for an admin, read, sent again and dropped', async () => {
    const subject = `run.step.${uuidv7()}`;
    await people.system.bus.js.publish(subject, Buffer.from('no report of a worker'));
    const letter = await first(1);
    expect(letter).toMatchObject({ subject, consumer: 'jobs', bytes: 21 });

    const path = `/admin/dead-letters/${letter.id}`;
    const answer = deadLetterAnswerSchema.strict().parse((await admin.http.send(path)).body);
    expect(answer).toEqual({ deadLetter: letter, payload: null });

    const redriven = await admin.http.post(`${path}/redrive`, {});
    expect(deadLetterRedrivenSchema.strict().parse(redriven.body)).toMatchObject({ subject });
    expectProblem(await admin.http.send(path), 404, 'not_found');

    // It cannot be handled this time either, and comes back as another letter.
    const again = await first(1);
    expect(again).toMatchObject({ subject, reason: letter.reason });
    expect(again.id).not.toBe(letter.id);
    const drop = () => admin.http.send(`/admin/dead-letters/${again.id}`, { method: 'DELETE' });
    expect((await drop()).status).toBe(204);
    expectProblem(await drop(), 404, 'not_found');
    expect(await list()).toEqual({ deadLetters: [], total: 0, nextCursor: null });
  });
});
