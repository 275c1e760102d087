import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesystemBlobStore } from '@esl/kit/blob-store';
import { localPublisher } from '../src/publisher/local-publisher.ts';
import { forever, lessonId, openNotionWorld } from './notion/notion-world.ts';
import { describePublisher } from './publisher.contract.ts';
import { keysUnder } from './worker-world.ts';

describePublisher('local', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pages-'));
  const blobs = filesystemBlobStore(folder);
  const text = async ({ key }: { key: string | null }) =>
    Buffer.from((await blobs.get(key ?? 'none', forever)) ?? []).toString();
  return {
    publisher: localPublisher({ blobs, now: () => new Date('2026-03-01T08:00:00Z') }),
    database: null,
    newLessonId: lessonId,
    pages: async () => (await keysUnder(folder, 'pages')).length,
    text,
    sounds: async (page) => (await text(page)).match(/<audio/g)?.length ?? 0,
    remove: ({ key }) => blobs.delete(key ?? 'none', forever),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
});

describePublisher('Notion', async () => {
  const world = await openNotionWorld();
  return {
    publisher: world.publisher(),
    database: world.database.id,
    newLessonId: lessonId,
    pages: async () => world.server.livePages().length,
    text: async ({ id }) => world.server.outline(id).join('\n'),
    sounds: async ({ id }) => world.server.blocksOf(id).filter(({ type }) => type === 'audio').length,
    remove: async ({ id }) => world.server.trash(id),
    [Symbol.asyncDispose]: world[Symbol.asyncDispose],
  };
});
