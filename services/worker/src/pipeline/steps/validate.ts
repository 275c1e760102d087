import type { Finding } from '../../lesson/findings.ts';
import { readLesson } from '../read-lesson.ts';
import type { StepSpec } from '../run.ts';
import { final } from '../run-error.ts';

export const validate: StepSpec<'validate'>['run'] = async (run, { signal }) => {
  const { spec } = run.job;
  const { ok, findings, lesson, mdHash } = await readLesson(run.ports.blobs, spec.lessonKey, signal);
  run.find(findings);
  if (lesson) {
    const { title, student, level, topic } = lesson.meta;
    run.read({ title, student, level, topic });
  }
  if (!ok || !lesson) throw final('lesson_invalid', whatIsWrong(findings));
  const settings = await run.ports.catalog.resolve(
    {
      student: lesson.meta.student,
      preset: spec.preset,
      voiceAccent: spec.voiceAccent,
      notionDatabase: spec.notionDatabase,
      mode: spec.mode,
      ownerId: run.job.ownerId,
    },
    signal,
  );
  const warnings = findings.length;
  const detail = warnings === 0 ? 'no findings' : `${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`;
  return { output: { lesson, mdHash, settings }, detail };
};

export const whatIsWrong = (findings: readonly Finding[]): string => {
  const errors = findings.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (!first) return 'The lesson cannot be read.';
  const where = `line ${first.line}: ${first.message}`;
  return errors.length === 1
    ? `The lesson has an error on ${where}`
    : `The lesson has ${errors.length} errors; the first is on ${where}`;
};
