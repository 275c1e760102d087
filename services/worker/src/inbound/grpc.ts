import { type ServedService, serve } from '@esl/kit/grpc-server';
import { accept, refuse } from '@esl/kit/outcome';
import { LessonsService } from '@esl-pipeline/contracts/esl/lessons/v1/lessons_service';
import { status } from '@grpc/grpc-js';
import { type Lesson, parseLesson } from '../lesson/lesson.ts';
import { charactersIn, planNarration } from '../pipeline/plan-narration.ts';
import type { Ports } from '../pipeline/run.ts';
import { RunError } from '../pipeline/run-error.ts';
import { walkBlocks } from '../publisher/notion/block.ts';
import { lessonToBlocks } from '../publisher/notion/lesson-to-blocks.ts';
import { castMemberToWire, findingToWire, specFromWire } from '../wire.ts';

const STATUSES = {
  unknown_preset: status.INVALID_ARGUMENT,
  unknown_notion_database: status.INVALID_ARGUMENT,
};

/** Blocks of the lesson's page as Notion has them, nested ones included, wherever the page will be. */
const blocksOf = (lesson: Lesson): number =>
  walkBlocks(lessonToBlocks(lesson, {})).reduce((count) => count + 1, 0);

/** Answers what a run would do, without doing it. */
export const lessonsGrpc = ({
  catalog,
  narratorFor,
}: Pick<Ports, 'catalog' | 'narratorFor'>): ServedService =>
  serve(
    LessonsService,
    {
      validate: async ({ text, spec: wireSpec, ownerId }, { signal }) => {
        const { ok, findings, lesson } = parseLesson(text);
        const { title = '', student = '', level = '', topic = '' } = lesson?.meta ?? {};
        const answer = {
          ok,
          findings: findings.map(findingToWire),
          ...(lesson && { meta: { title, student, level, topic } }),
        };
        if (!ok || !lesson) return accept(answer);
        const spec = specFromWire(wireSpec);
        const { preset, voiceAccent, notionDatabase, mode: wanted } = spec;
        try {
          const wish = { student, preset, voiceAccent, notionDatabase, mode: wanted, ownerId };
          const settings = await catalog.resolve(wish, signal);
          const { ttsProvider } = settings;
          const { narrator } = await narratorFor({ ownerId, ttsProvider }, signal);
          const planned = await planNarration(lesson, spec, settings, narrator, signal);
          const { mode, segments, casting } = planned;
          const characters = charactersIn(segments);
          const cast = casting.ok ? casting.value.cast : [];
          return accept({
            ...answer,
            plan: {
              mode,
              segments: segments.length,
              cast: cast.map(castMemberToWire),
              characters,
              estimatedCost: narrator.estimateCost(characters, mode),
              blocks: blocksOf(lesson),
            },
          });
        } catch (error) {
          if (error instanceof RunError && !error.retryable) return refuse(error.code, error.message);
          throw error;
        }
      },
    },
    STATUSES,
  );
