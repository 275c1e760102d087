// Finds the page that a lost answer, or an attempt that died, may have left.
//   I1. Where the database has a text property "Lesson ID", it names the lesson, and the page is found by it.
//   I2. Elsewhere it is a page of ours with the lesson's title, made since the lesson's first job was submitted, that no
//       other lesson has claimed. A claim is written as soon as a page's making is answered, so that only pages whose
//       answer was lost are without one.

import type { BlobStore } from '@esl/kit/blob-store';
import { isFullPage } from '@notionhq/client';
import { z } from 'zod';
import type { NotionApi } from './notion-api.ts';
import { propertyNamed, type Target, titleProperty } from './target.ts';

export const LESSON_ID = 'Lesson ID';

/** Notion tells times by the minute, and its clock is not ours. */
const TOLERANCE_MS = 300_000;
/** Longer titles are told by their start: a filter takes no more than Notion's limit of text. */
const MAX_FILTER_TEXT = 500;

const claimSchema = z.object({ lessonId: z.string() });

export type PageClaims = {
  readonly claim: (pageId: string, lessonId: string, signal: AbortSignal) => Promise<void>;
  /** The lesson a page belongs to; null when nobody has said. */
  readonly owner: (pageId: string, signal: AbortSignal) => Promise<string | null>;
};

export const pageClaims = (blobs: Pick<BlobStore, 'get' | 'put'>): PageClaims => {
  const keyOf = (pageId: string) => `notion-pages/${pageId.replaceAll('-', '')}.json`;
  return {
    claim: (pageId, lessonId, signal) =>
      blobs.put(
        keyOf(pageId),
        Buffer.from(JSON.stringify({ lessonId })),
        { contentType: 'application/json', mayBeLost: true },
        signal,
      ),
    owner: async (pageId, signal) => {
      const stored = await blobs.get(keyOf(pageId), signal);
      if (!stored) return null;
      try {
        return claimSchema.parse(JSON.parse(Buffer.from(stored).toString())).lessonId;
      } catch {
        return null;
      }
    },
  };
};

/** Milliseconds since 1970 in a UUIDv7: when the job was submitted. */
const timeOf = (lessonId: string): number =>
  Number.parseInt(lessonId.replaceAll('-', '').slice(0, 12), 16) || 0;

export type Sought = { readonly lessonId: string; readonly title: string };

export const hasLessonId = (target: Target): boolean =>
  propertyNamed(target, LESSON_ID)?.type === 'rich_text';

export const findPage = async (
  api: NotionApi,
  target: Target,
  { lessonId, title }: Sought,
  claims: PageClaims,
  ourselves: (api: NotionApi) => Promise<string>,
  signal: AbortSignal,
): Promise<string | null> => {
  const marked = propertyNamed(target, LESSON_ID);
  const since = new Date(Math.max(0, timeOf(lessonId) - TOLERANCE_MS)).toISOString();
  const named =
    title.length > MAX_FILTER_TEXT ? { starts_with: title.slice(0, MAX_FILTER_TEXT) } : { equals: title };
  const isMarked = marked?.type === 'rich_text';
  const { results } = await api.ask((client) =>
    client.dataSources.query({
      data_source_id: target.dataSourceId,
      filter: isMarked
        ? { property: marked.name, rich_text: { equals: lessonId } }
        : {
            and: [
              { property: titleProperty(target), title: named },
              { timestamp: 'created_time', created_time: { on_or_after: since } },
            ],
          },
      sorts: [{ timestamp: 'created_time', direction: 'descending' }],
      page_size: 100,
    }),
  );
  const pages = results.flatMap((each) =>
    each.object === 'page' && isFullPage(each) && !each.in_trash ? [each] : [],
  );
  if (isMarked || pages.length === 0) return pages[0]?.id ?? null;
  const us = await ourselves(api);
  for (const page of pages) {
    if (page.created_by.id !== us) continue;
    const owner = await claims.owner(page.id, signal);
    if (owner === null || owner === lessonId) return page.id;
  }
  return null;
};
