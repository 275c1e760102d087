// Lessons as pages of a Notion database.
//   P1. One lesson, one page. A lost answer, or an attempt that died, is followed by a look for what it left.
//   P2. A page that is there is changed into what it should be, block by block: a half-written page is only the case in
//       which much is missing.
//   P3. A page whose hash is unchanged is not looked at again.

import type { BlobStore } from '@esl/kit/blob-store';
import { sha256 } from '@esl/kit/blob-store';
import { type CreatePageParameters, isFullPage, type PageObjectResponse } from '@notionhq/client';
import { RunError } from '../../pipeline/run-error.ts';
import { fallsSilent, type Page, type PageSound, type Publisher, type PublishRequest } from '../publisher.ts';
import { type NotionBlock, walkBlocks } from './block.ts';
import { lessonToBlocks } from './lesson-to-blocks.ts';
import { MAX_URL } from './limits.ts';
import { lookups } from './lookup.ts';
import { type NotionApi, type NotionSettings, notionApi } from './notion-api.ts';
import { AnswerLost, notionError } from './notion-error.ts';
import { isComplete, packBlocks } from './pack.ts';
import { type AudioSource, insertAudio, replaceAudio, uploadAudio } from './page-audio.ts';
import { findPage, hasLessonId, pageClaims } from './page-identity.ts';
import { type PageProperties, pageProperties } from './page-properties.ts';
import { isSameProperty, type PropertyValue } from './property-value.ts';
import { type Target, targets } from './target.ts';
import { changeBlocks, sendPacked } from './write-blocks.ts';

/** Rises when the same lesson makes other blocks, so that pages made before are brought up to date. */
const MAPPER_VERSION = 1;
const CONTENT_TYPE = 'text/html';

export type NotionPublisherSettings = NotionSettings & {
  /** Remembers which lesson a page belongs to. */
  readonly blobs: Pick<BlobStore, 'get' | 'put'>;
  /** STUDENTS_DB_ID: where students are, when the database's own relation does not say. */
  readonly studentsDataSource: string | null;
  readonly now?: () => number;
};

type Wanted = {
  readonly request: PublishRequest;
  readonly blocks: readonly NotionBlock[];
  readonly sha256: string;
  readonly wordsSha256: string;
};

const withoutColour = ({ type, value, children }: NotionBlock): NotionBlock => {
  const { color: _, ...rest } = value;
  return { type, value: rest, children: children.map(withoutColour) };
};

const wantedOf = (request: PublishRequest): Wanted => {
  const { lesson, colours, database } = request;
  const blocks = lessonToBlocks(lesson, colours);
  const hash = (content: readonly NotionBlock[]) =>
    sha256(JSON.stringify([MAPPER_VERSION, database, lesson.meta, content]));
  return { request, blocks, sha256: hash(blocks), wordsSha256: hash(blocks.map(withoutColour)) };
};

const iconOf = ({ meta }: PublishRequest['lesson']) =>
  meta.icon ? { type: 'emoji' as const, emoji: meta.icon as never } : undefined;
const coverOf = ({ meta }: PublishRequest['lesson']) =>
  meta.cover && meta.cover.length <= MAX_URL
    ? { type: 'external' as const, external: { url: meta.cover } }
    : undefined;

const canBeColoured = (block: NotionBlock): boolean =>
  [...walkBlocks(block.children)].some(({ type }) => type === 'heading_3');

/** Does again what looks before it acts, when an answer was lost and so nobody knows how far it came. */
const lookingAgain = async <T>(api: NotionApi, work: () => Promise<T>): Promise<T> => {
  for (let round = 1; ; round += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof AnswerLost)) throw error;
      if (round >= api.maxTries) throw notionError('notion_unavailable', { cause: error });
      await api.wait(round);
    }
  }
};

/** A database may have changed since its schema was read. */
const isAboutSchema = (error: unknown): boolean =>
  error instanceof RunError && (error.code === 'notion_rejected' || error.code === 'notion_not_shared');

const fileName = (title: string): string =>
  `${
    title
      .replace(/[^\p{L}\p{N}.,'()-]+/gu, ' ')
      .trim()
      .slice(0, 80) || 'Lesson'
  }.mp3`;

export const notionPublisher = (settings: NotionPublisherSettings): Publisher => {
  const { blobs, studentsDataSource, now = Date.now } = settings;
  const known = targets(now);
  const students = lookups(studentsDataSource, now);
  const claims = pageClaims(blobs);
  let bot: string | null = null;

  /** Notion's name for whoever has our token. */
  const ourselves = async (api: NotionApi): Promise<string> => {
    bot ??= (await api.ask((client) => client.users.me({}))).id;
    return bot;
  };

  const propertiesFor = (api: NotionApi, target: Target, { request }: Wanted) =>
    pageProperties(request.lesson.meta, request.lessonId, target, students.with(api), request.warn);

  const claim = async (pageId: string, target: Target, { request }: Wanted, signal: AbortSignal) => {
    if (!hasLessonId(target)) await claims.claim(pageId, request.lessonId, signal);
  };

  /** Makes the page, with all blocks that fit into that request; the rest is still to be sent. */
  const createPage = async (api: NotionApi, target: Target, wanted: Wanted) => {
    const properties = await propertiesFor(api, target, wanted);
    const { lesson } = wanted.request;
    const packed = packBlocks(wanted.blocks);
    // The answer tells no ids of blocks: those that more is to be put under come by an append, whose answer does.
    const needed = wanted.blocks.findIndex((each) => !isComplete(each));
    const [first] = packBlocks(needed < 0 ? wanted.blocks : wanted.blocks.slice(0, needed));
    const count = first?.children.length ?? 0;
    const rest = needed < 0 ? packed.slice(1) : packBlocks(wanted.blocks.slice(count));
    const [icon, cover] = [iconOf(lesson), coverOf(lesson)];
    const page = await api.askOnce((client) =>
      client.pages.create({
        parent: { type: 'data_source_id', data_source_id: target.dataSourceId },
        properties: properties as NonNullable<CreatePageParameters['properties']>,
        ...(icon && { icon }),
        ...(cover && { cover }),
        ...(count > 0 && { children: [...(first?.children ?? [])] }),
      }),
    );
    if (!isFullPage(page)) throw new AnswerLost('the answer says nothing about the page');
    bot = page.created_by.id;
    return { page, rest };
  };

  const changeProperties = async (
    api: NotionApi,
    page: PageObjectResponse,
    properties: PageProperties,
    { request: { lesson } }: Wanted,
  ) => {
    const standing = page.properties as Readonly<Record<string, PropertyValue>>;
    const changed = Object.entries(properties).filter(
      ([name, value]) => !isSameProperty(value, standing[name]),
    );
    const [icon, cover] = [iconOf(lesson), coverOf(lesson)];
    const newIcon = icon && !(page.icon?.type === 'emoji' && page.icon.emoji === icon.emoji);
    const newCover =
      cover && !(page.cover?.type === 'external' && page.cover.external.url === cover.external.url);
    if (changed.length === 0 && !newIcon && !newCover) return;
    await api.ask((client) =>
      client.pages.update({
        page_id: page.id,
        ...(changed.length > 0 && { properties: Object.fromEntries(changed) as never }),
        ...(newIcon && { icon }),
        ...(newCover && { cover }),
      }),
    );
  };

  /** The page with everything as wanted; null when it is no more. */
  const changePage = async (
    api: NotionApi,
    pageId: string,
    target: Target,
    wanted: Wanted,
  ): Promise<PageObjectResponse | null> => {
    const { previous } = wanted.request;
    const standing = await api.find((client) => client.pages.retrieve({ page_id: pageId }));
    if (!standing || !isFullPage(standing) || standing.in_trash) return null;
    let page = standing;
    const { parent } = page;
    if (parent.type !== 'data_source_id' || parent.data_source_id !== target.dataSourceId) {
      const to = { type: 'data_source_id' as const, data_source_id: target.dataSourceId };
      const moved = await api.ask((client) => client.pages.move({ page_id: pageId, parent: to }));
      if (isFullPage(moved)) page = moved;
    }
    const isRecoloured = previous?.wordsSha256 === wanted.wordsSha256;
    // Somebody may have set a status meanwhile: other colours are no reason to take that back.
    if (!isRecoloured) await changeProperties(api, page, await propertiesFor(api, target, wanted), wanted);
    // The page may be of an earlier token, and blocks on it of both.
    const ours = new Set([page.created_by.id, await ourselves(api)]);
    await changeBlocks(api, pageId, wanted.blocks, {
      isForeign: (each) =>
        each.id === previous?.audio?.blockId || (each.madeBy !== undefined && !ours.has(each.madeBy)),
      ...(isRecoloured && { mayDiffer: canBeColoured }),
    });
    return page;
  };

  const pageOf = (made: PageObjectResponse, wanted: Wanted, audio: Page['audio']): Page => ({
    publisher: 'notion',
    id: made.id,
    key: null,
    url: made.url,
    contentType: CONTENT_TYPE,
    bytes: Buffer.byteLength(JSON.stringify(wanted.blocks)),
    sha256: wanted.sha256,
    wordsSha256: wanted.wordsSha256,
    ...(audio && { audio }),
  });

  const makePage = async (api: NotionApi, wanted: Wanted, signal: AbortSignal): Promise<Page> => {
    const { previous, lessonId, lesson, database, isRepeat } = wanted.request;
    const sought = { lessonId, title: lesson.meta.title || 'Lesson' };
    let { target, isFresh } = await known.find(api, database);
    let pageId = previous?.id ?? null;
    let mayBeThere = isRepeat;

    const attempt = async (): Promise<Page> => {
      if (!pageId && mayBeThere) pageId = await findPage(api, target, sought, claims, ourselves, signal);
      mayBeThere = true;
      const standing = pageId && (await changePage(api, pageId, target, wanted));
      if (standing) {
        const isPrevious = standing.id === previous?.id;
        if (!isPrevious) await claim(standing.id, target, wanted, signal);
        return pageOf(standing, wanted, isPrevious ? previous.audio : undefined);
      }
      pageId = null;
      const { page, rest } = await createPage(api, target, wanted);
      pageId = page.id;
      await claim(page.id, target, wanted, signal);
      await sendPacked(api, page.id, rest, 'end');
      return pageOf(page, wanted, undefined);
    };

    try {
      return await lookingAgain(api, attempt);
    } catch (error) {
      if (isFresh || !isAboutSchema(error)) throw error;
      known.forget(database);
      ({ target, isFresh } = await known.find(api, database));
      return await lookingAgain(api, attempt);
    }
  };

  const putSound = async (
    api: NotionApi,
    page: Page,
    sound: PageSound,
    { request, blocks }: Wanted,
  ): Promise<NonNullable<Page['audio']>> => {
    if (page.audio?.sha256 === sound.sha256 && !fallsSilent(page, new Date(now()))) return page.audio;
    const link = sound.link && sound.link.url.length <= MAX_URL ? sound.link : null;
    const source: AudioSource = link
      ? { external: { url: link.url } }
      : await uploadAudio(api, sound.mp3, fileName(request.lesson.meta.title));
    const linkEndsAt = link?.expiresAt?.toISOString();
    const playedBy = (blockId: string) => ({
      blockId,
      sha256: sound.sha256,
      ...(linkEndsAt !== undefined && { linkEndsAt }),
    });
    if (page.audio && (await replaceAudio(api, page.audio.blockId, source)))
      return playedBy(page.audio.blockId);
    const blockId = await lookingAgain(api, () => insertAudio(api, page.id, blocks, source));
    if (blockId === null) throw notionError('notion_not_shared');
    return playedBy(blockId);
  };

  return {
    name: 'notion',
    notice: null,
    publish: async (request, sound, signal) => {
      const api = notionApi(settings, signal);
      const wanted = wantedOf(request);
      const { previous } = request;
      const isUpToDate = previous?.sha256 === wanted.sha256;
      const page = isUpToDate ? previous : await makePage(api, wanted, signal);
      return sound ? { ...page, audio: await putSound(api, page, sound, wanted) } : page;
    },
    exists: async ({ publisher, id }, signal) => {
      if (publisher !== 'notion') return false;
      const page = await notionApi(settings, signal).find((client) => client.pages.retrieve({ page_id: id }));
      return page !== null && isFullPage(page) && !page.in_trash;
    },
  };
};
