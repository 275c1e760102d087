import { z } from 'zod';
import { findingSchema } from './job.ts';
import { SUBMIT_JOB_CODES, submitJobSchema } from './submit-job.ts';

/** Body of `POST /lessons/validate`: a lesson, as text or by name, and the options of the job that it would become. */
export const validateLessonSchema = submitJobSchema
  .partial({ md: true })
  .extend({ text: z.string().optional().describe('The lesson itself, instead of `md`.') })
  .meta({ id: 'ValidateLesson' });
export type ValidateLesson = z.infer<typeof validateLessonSchema>;

/** The stable code of a bad field in `POST /lessons/validate`. */
export const VALIDATE_LESSON_CODES = { text: 'invalid_text', ...SUBMIT_JOB_CODES } as const;

/** What is wrong with a lesson, and what a job of it would do. Nothing was stored, created or paid for it. */
export const lessonReportSchema = z
  .object({
    ok: z.boolean().describe('Whether a job would take it: no finding is an error'),
    findings: z.array(findingSchema),
    meta: z
      .object({ title: z.string(), student: z.string(), level: z.string(), topic: z.string() })
      .nullable()
      .describe('Null when the front matter cannot be read'),
    plan: z
      .object({
        mode: z.string(),
        segments: z.int().min(0),
        cast: z.array(
          z.object({
            speaker: z.string(),
            voiceId: z.string(),
            voiceName: z.string(),
            source: z.string(),
          }),
        ),
        characters: z.int().min(0).describe('That would be spoken'),
        estimatedCost: z
          .number()
          .min(0)
          .describe('In the credits of the speech provider; 0 for local speech'),
        blocks: z.int().min(0).describe('Of the page as Notion has them, nested ones included'),
      })
      .nullable()
      .describe('Null when the lesson is not ok'),
  })
  .meta({ id: 'LessonReport' });
export type LessonReport = z.infer<typeof lessonReportSchema>;
