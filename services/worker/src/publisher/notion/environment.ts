import { integer } from '@esl/kit/env';
import { z } from 'zod';
import type { NotionSettings } from './notion-api.ts';
import type { Rate } from './throttle.ts';

/** The variables that speak of Notion, by the names they have always had. */
export const notionEnv = {
  /** Of the integration whose databases everybody's lessons go to; a user's own token goes before it. */
  NOTION_TOKEN: z.string().optional(),
  NOTION_BASE_URL: z.url({ protocol: /^https?$/ }).default('https://api.notion.com'),
  NOTION_CLIENT_TIMEOUT: integer(60_000, { min: 100, max: 600_000 }),
  NOTION_RATE_BURST: integer(10, { min: 1, max: 1_000 }),
  NOTION_RATE_PER_SECOND: integer(3, { min: 1, max: 1_000 }),
  NOTION_COLORIZER_MAX_RETRIES: integer(5, { min: 1, max: 20 }),
  NOTION_COLORIZER_RETRY_DELAY_MS: integer(350, { min: 1, max: 60_000 }),
  NOTION_COLORIZER_THROTTLE_MS: integer(0, { min: 0, max: 60_000 }),
  /** The data source of students' pages, where the database does not say it itself. */
  STUDENTS_DB_ID: z.string().optional(),
} as const;

type Env = z.infer<z.ZodObject<typeof notionEnv>>;

export const notionRate = (env: Env): Rate => ({
  perSecond: env.NOTION_RATE_PER_SECOND,
  burst: env.NOTION_RATE_BURST,
});

export const notionSettings = (
  env: Env,
): Omit<NotionSettings, 'token' | 'throttle'> & { readonly studentsDataSource: string | null } => ({
  baseUrl: env.NOTION_BASE_URL,
  timeoutMs: env.NOTION_CLIENT_TIMEOUT,
  maxTries: env.NOTION_COLORIZER_MAX_RETRIES,
  retryDelayMs: env.NOTION_COLORIZER_RETRY_DELAY_MS,
  pauseMs: env.NOTION_COLORIZER_THROTTLE_MS,
  studentsDataSource: env.STUDENTS_DB_ID ?? null,
});
