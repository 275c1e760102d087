import { describe, expect, it } from 'vitest';
import { checkLesson, type SentFile } from '../src/uploads/check-lesson.ts';
import { type LessonCheckerOptions, lessonChecker, TooManyLessons } from '../src/uploads/lesson-checker.ts';

const MIB = 1024 * 1024;
const signal = new AbortController().signal;
const file = (text: string | Buffer, name = 'lesson.md'): SentFile => ({
  name,
  type: 'text/markdown',
  bytes: Buffer.from(text),
});
/** Whatever size a file has, the thread checks it. */
const inThread = (options: LessonCheckerOptions = {}) => lessonChecker({ ...options, maxInlineBytes: 0 });
const fragile = (options: LessonCheckerOptions = {}) =>
  inThread({ ...options, entry: new URL('./stuck-check-worker.ts', import.meta.url) });
const REFUSED = { ok: false, refusal: { code: 'file_validation_failed' } };
const KEPT = { ok: true };

describe('a lesson that is checked in the thread', () => {
  it.each([
    ['a lesson', file('# Lesson\n\nSome words.\n')],
    ['one under an odd name', file('# Lesson', '../é?.md')],
    ['one with a byte order mark', file('\ufeff# Lesson')],
    ['one with active content', file('<script>alert(1)</script>')],
    ['no UTF-8', file(Buffer.from([0x23, 0xff, 0xfe]))],
    ['nothing', file('')],
    ['another type of file', file('# Lesson', 'lesson.exe')],
  ])('is judged as it is elsewhere: %s', async (_what, sent) => {
    await using checker = inThread();
    expect(await checker.check(sent, signal)).toEqual(checkLesson(sent));
  });

  it.each(['<a = ', '\\`', 'a\n', '- a\n', '1) '])(
    'may be 10 MiB of %j, and is judged within the thread’s memory',
    async (piece) => {
      await using checker = lessonChecker();
      const busy = file(piece.repeat(10 * MIB).slice(0, 10 * MIB));
      let turns = 0;
      const turning = setInterval(() => turns++, 1);
      expect(await checker.check(busy, signal)).toMatchObject(KEPT);
      clearInterval(turning);
      expect(turns).toBeGreaterThan(5);
    },
  );
});

describe('a check that cannot be done', () => {
  it('is given up at its deadline, and the next one is done', async () => {
    await using checker = fragile({ deadlineMs: 2_000 });
    const stuck = checker.check(file('# Lesson', 'stuck.md'), signal);
    const next = checker.check(file('# Lesson'), signal);
    expect(await stuck).toMatchObject(REFUSED);
    expect(await next).toMatchObject(KEPT);
  });

  it('for want of memory is refused, and the next one is done', async () => {
    await using checker = inThread({ maxHeapMb: 24 });
    const large = checker.check(file('\\`'.repeat(5 * MIB)), signal);
    const next = checker.check(file('# Lesson'), signal);
    expect(await large).toMatchObject(REFUSED);
    expect(await next).toMatchObject(KEPT);
  });

  it('because its thread cannot start is a fault', async () => {
    await using checker = inThread({ entry: new URL('./no-such-worker.ts', import.meta.url) });
    for (let time = 0; time < 2; time += 1)
      await expect(checker.check(file('# Lesson'), signal)).rejects.toThrow('could not be checked');
  });

  it('because too many wait is turned away', async () => {
    await using checker = inThread({ maxWaiting: 1 });
    const checks = [1, 2, 3].map(() => checker.check(file('# Lesson'), signal));
    const settled = await Promise.allSettled(checks);
    expect(settled).toMatchObject([{ value: KEPT }, { value: KEPT }, { reason: expect.any(TooManyLessons) }]);
  });

  it('because its sender has gone ends at once, and leaves the others their turn', async () => {
    await using checker = fragile({ deadlineMs: 2_000 });
    const gone = new AbortController();
    const doomed = ['stuck.md', 'lesson.md'].map((name) =>
      checker.check(file('# Lesson', name), gone.signal),
    );
    const other = checker.check(file('# Lesson'), signal);
    const reason = new Error('the sender has gone');
    gone.abort(reason);
    for (const each of await Promise.allSettled(doomed)) expect(each).toMatchObject({ reason });
    expect(await other).toMatchObject(KEPT);
  });

  it('because the checker is closed is turned away, whether it had begun or not', async () => {
    const checker = fragile();
    const checks = ['stuck.md', 'lesson.md'].map((name) => checker.check(file('# Lesson', name), signal));
    const turnedAway = expect(Promise.allSettled(checks)).resolves.toMatchObject(
      checks.map(() => ({ reason: expect.any(TooManyLessons) })),
    );
    await checker.close();
    await turnedAway;
    await expect(checker.check(file('# Lesson'), signal)).rejects.toThrow(TooManyLessons);
  });
});
