import { type BlobStore, sha256 } from '@esl/kit/blob-store';
import { renderPage } from '../page/render-page.ts';
import type { Publisher } from './publisher.ts';

const HTML = 'text/html; charset=utf-8';

/**
 * A page's key follows from the id of the job that made it first, so that a repeat after a crash finds the same page.
 * It is as hard to guess as that id (74 random bits), tells nothing about it, and is only served by signed links.
 */
export const pageKey = (jobId: string): string => {
  const name = sha256(`page:${jobId}`).slice(0, 40);
  return `pages/${name.slice(0, 2)}/${name}.html`;
};

/** Pages as single HTML files in the blob store, with colours and sound inside. */
export const localPublisher = ({ blobs, now }: { blobs: BlobStore; now: () => Date }): Publisher => ({
  name: 'local',
  notice: {
    code: 'published_locally',
    message: 'The lesson is a page of its own here, because no Notion account is connected.',
  },
  publish: async ({ lessonId, previous, lesson, colours }, sound, signal) => {
    const html = renderPage({
      lesson,
      colours,
      generatedAt: now(),
      ...(sound && {
        audio: {
          src: `data:audio/mpeg;base64,${Buffer.from(sound.mp3).toString('base64')}`,
          durationMs: sound.durationMs,
        },
        cast: sound.cast,
      }),
    });
    const body = Buffer.from(html);
    const key = previous?.key ?? pageKey(lessonId);
    await blobs.put(key, body, { contentType: HTML }, signal);
    return {
      publisher: 'local',
      id: key,
      key,
      url: null,
      contentType: HTML,
      bytes: body.byteLength,
      sha256: sha256(body),
    };
  },
  exists: async ({ key }, signal) => key !== null && (await blobs.head(key, signal)) !== null,
});
