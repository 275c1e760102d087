import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlobStore, filesystemBlobStore, sha256 } from '@esl/kit/blob-store';
import { type Lesson, parseLesson } from '../../src/lesson/lesson.ts';
import {
  type NotionPublisherSettings,
  notionPublisher,
} from '../../src/publisher/notion/notion-publisher.ts';
import { type Clock, localThrottle } from '../../src/publisher/notion/throttle.ts';
import type { PageSound, PublishRequest } from '../../src/publisher/publisher.ts';
import { type NotionServer, openNotionServer, type PropertyConfig } from './notion-server.ts';

export const forever = new AbortController().signal;

/** A UUIDv7 of this very moment, as a job that was just submitted has. */
export const lessonId = (): string => {
  const hex = Date.now().toString(16).padStart(12, '0');
  const random = crypto.randomUUID();
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${random.slice(15)}`;
};

export const parsed = (source: string): Lesson => {
  const { lesson, findings } = parseLesson(source);
  if (!lesson) throw new Error(JSON.stringify(findings));
  return lesson;
};

export const FULL_SCHEMA: Record<string, PropertyConfig> = {
  Lesson: { type: 'title' },
  Topic: { type: 'multi_select' },
  Student: { type: 'rich_text' },
  Level: { type: 'select' },
  'Input type': { type: 'select' },
  Status: { type: 'status', options: ['Not started', 'Ready'] },
  'Lesson ID': { type: 'rich_text' },
};
export const BARE_SCHEMA: Record<string, PropertyConfig> = { Name: { type: 'title' } };

/** Waits cost nothing; `slept` tells them, in ms. */
export const quickClock = () => {
  let time = Date.now();
  const slept: number[] = [];
  const clock: Clock = {
    now: () => time,
    sleep: async (ms, signal) => {
      signal.throwIfAborted();
      slept.push(ms);
      time += ms;
    },
  };
  return { clock, slept };
};

export const openNotionWorld = async () => {
  const server: NotionServer = await openNotionServer();
  const folder = await mkdtemp(join(tmpdir(), 'notion-'));
  const blobs: BlobStore = filesystemBlobStore(folder);
  const database = server.givenDatabase('Homework', FULL_SCHEMA);
  const bare = server.givenDatabase('Bare', BARE_SCHEMA);
  const { clock, slept } = quickClock();

  const publisher = (over: Partial<NotionPublisherSettings> = {}) =>
    notionPublisher({
      token: server.token,
      baseUrl: server.url,
      timeoutMs: 2_000,
      maxTries: 5,
      retryDelayMs: 350,
      pauseMs: 0,
      throttle: localThrottle({ perSecond: 1_000, burst: 1_000 }, clock),
      clock,
      blobs,
      studentsDataSource: null,
      ...over,
    });
  const warnings: string[] = [];
  const request = (lesson: Lesson, over: Partial<PublishRequest> = {}): PublishRequest => ({
    lessonId: lessonId(),
    previous: null,
    isRepeat: false,
    lesson,
    colours: {},
    database: database.id,
    warn: ({ code }) => warnings.push(code),
    ...over,
  });
  const sound = (text: string): PageSound => {
    const mp3 = Buffer.from(text);
    return { sha256: sha256(mp3), mp3, link: null, durationMs: 1_000, cast: [] };
  };
  return {
    server,
    blobs,
    database,
    bare,
    publisher,
    request,
    sound,
    warnings,
    slept,
    /** The requests since the last call, as `METHOD /path` with ids left out. */
    calls: (() => {
      let from = 0;
      return () => {
        const seen = server.requests
          .slice(from)
          .map(
            ({ method, path }) => `${method} ${path.replace('/v1', '').replace(/\/[0-9a-f-]{36}/g, '/:id')}`,
          );
        from = server.requests.length;
        return seen;
      };
    })(),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
};

export type NotionWorld = Awaited<ReturnType<typeof openNotionWorld>>;
