import type { GrpcClient } from '@esl/kit/grpc-client';
import { said } from '@esl/kit/said';
import {
  type LessonReport,
  lessonReportSchema,
  VALIDATE_LESSON_CODES,
  validateLessonSchema,
} from '@esl-pipeline/contracts';
import type { LessonsService } from '@esl-pipeline/contracts/esl/lessons/v1/lessons_service';
import { findingDto } from '@esl-pipeline/contracts/http/job-dto';
import type { lessonText } from '../../app/validate-lesson.ts';
import { problem } from '../problem.ts';
import { objectBody, parseFields } from '../request-body.ts';
import type { Handler, Route } from '../route.ts';

/** Looks at lessons without making anything of them. The lesson language is the worker's. */
export const lessonRoutes = ({
  textOf,
  lessons,
}: {
  readonly textOf: ReturnType<typeof lessonText>;
  readonly lessons: GrpcClient<typeof LessonsService>['call'];
}): Route[] => {
  const validate: Handler = async ({ principal, request, signal }) => {
    const body = objectBody(request.body, 'invalid_body', 'The body');
    const { text, md, ...options } = parseFields(validateLessonSchema, VALIDATE_LESSON_CODES, body);
    const lesson = await textOf(principal.ownerId, said({ text, md }), signal);
    if (!lesson.ok) throw problem(lesson.refusal.code, lesson.refusal.message);
    const { ok, findings, meta, plan } = await lessons.validate(
      { text: lesson.value, spec: said(options), ownerId: principal.ownerId },
      signal,
    );
    const report: LessonReport = {
      ok,
      findings: findings.map(findingDto),
      meta: meta ? { title: meta.title, student: meta.student, level: meta.level, topic: meta.topic } : null,
      plan: plan
        ? {
            mode: plan.mode,
            segments: plan.segments,
            cast: plan.cast.map(({ speaker, voiceId, voiceName, source }) => ({
              speaker,
              voiceId,
              voiceName,
              source,
            })),
            characters: plan.characters,
            estimatedCost: plan.estimatedCost,
            blocks: plan.blocks,
          }
        : null,
    };
    return { status: 200, body: report };
  };

  return [
    {
      method: 'post',
      path: '/lessons/validate',
      reach: 'extended',
      access: 'user',
      tag: 'Lessons',
      name: 'validateLesson',
      summary: 'See what is wrong with a lesson, and what a job of it would do',
      body: { schema: validateLessonSchema, required: true },
      answers: { 200: { description: 'The findings, and a plan.', schema: lessonReportSchema } },
      errors: [
        ...Object.values(VALIDATE_LESSON_CODES),
        'md_not_found',
        'unknown_preset',
        'unknown_notion_database',
      ],
      handle: validate,
    },
  ];
};
