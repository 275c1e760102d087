import { sha256 } from '@esl/kit/blob-store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parcelWithText, sampleLesson } from '../src/lesson/finding-examples.ts';
import { parseLesson } from '../src/lesson/lesson.ts';
import type { Page, PageSound, Publisher, PublishRequest } from '../src/publisher/publisher.ts';

export type PublisherWorld = AsyncDisposable & {
  readonly publisher: Publisher;
  /** Where a lesson's page is wanted. */
  readonly database: string | null;
  readonly newLessonId: () => string;
  readonly pages: () => Promise<number>;
  /** What can be read on the page. */
  readonly text: (page: Page) => Promise<string>;
  /** How many sounds the page plays. */
  readonly sounds: (page: Page) => Promise<number>;
  readonly remove: (page: Page) => Promise<void>;
};

const forever = new AbortController().signal;

const lessonOf = (source: string) => {
  const { lesson } = parseLesson(source);
  if (!lesson) throw new Error('the sample is no lesson');
  return lesson;
};

const soundOf = (text: string): PageSound => {
  const mp3 = Buffer.from(text);
  return { sha256: sha256(mp3), mp3, link: null, durationMs: 1_000, cast: [] };
};

/** What every publisher does, wherever its pages are. */
export const describePublisher = (name: string, open: () => Promise<PublisherWorld>): void => {
  describe(`the ${name} publisher`, () => {
    let world: PublisherWorld;
    beforeAll(async () => {
      world = await open();
    });
    afterAll(() => world?.[Symbol.asyncDispose]());

    const request = (over: Partial<PublishRequest> = {}): PublishRequest => ({
      lessonId: world.newLessonId(),
      previous: null,
      isRepeat: false,
      lesson: lessonOf(sampleLesson('the-lost-parcel')),
      colours: {},
      database: world.database,
      warn: () => {},
      ...over,
    });
    const publish = (wanted: PublishRequest, sound: PageSound | null = null) =>
      world.publisher.publish(wanted, sound, forever);

    it('makes a page that is there, and says who made it', async () => {
      const page = await publish(request());
      expect(page.publisher).toBe(world.publisher.name);
      expect(await world.publisher.exists(page, forever)).toBe(true);
      expect(await world.text(page)).toContain('My parcel has not arrived');
      expect(await world.sounds(page)).toBe(0);
      expect(page.key === null).toBe(page.url !== null);
    });

    it('makes one page of a lesson, however often it is published', async () => {
      const wanted = request();
      const first = await publish(wanted);
      const pages = await world.pages();
      const lost = await publish({ ...wanted, isRepeat: true });
      const known = await publish({ ...wanted, isRepeat: true, previous: first });
      expect([lost.id, known.id]).toEqual([first.id, first.id]);
      expect(await world.pages()).toBe(pages);
    });

    it('makes another page of another lesson', async () => {
      const [one, other] = [await publish(request()), await publish(request())];
      expect(one.id).not.toBe(other.id);
    });

    it('changes the page that is there', async () => {
      const wanted = request();
      const previous = await publish(wanted);
      const lesson = lessonOf(parcelWithText('Quite other words.'));
      const page = await publish({ ...wanted, previous, isRepeat: true, lesson });
      expect(page.id).toBe(previous.id);
      expect(await world.text(page)).toContain('Quite other words.');
      expect(await world.text(page)).not.toContain('to join two ideas');
      expect(page.sha256).not.toBe(previous.sha256);
    });

    it('has the page play one sound, the last it was given', async () => {
      const wanted = request();
      const silent = await publish(wanted);
      const first = await publish({ ...wanted, previous: silent, isRepeat: true }, soundOf('first'));
      expect(await world.sounds(first)).toBe(1);
      const second = await publish({ ...wanted, previous: first, isRepeat: true }, soundOf('second'));
      expect(await world.sounds(second)).toBe(1);
      expect(second.id).toBe(silent.id);
    });

    it('knows that a page is gone, and nothing of one it did not make', async () => {
      const page = await publish(request());
      await world.remove(page);
      expect(await world.publisher.exists(page, forever)).toBe(false);
      const foreign = {
        ...page,
        publisher: 'elsewhere',
        id: world.newLessonId(),
        key: null,
        url: 'https://example.org',
      };
      expect(await world.publisher.exists(foreign, forever)).toBe(false);
    });

    it('stops when it is told to', async () => {
      const stopped = AbortSignal.abort(new Error('stopped'));
      const pages = await world.pages();
      await expect(world.publisher.publish(request(), null, stopped)).rejects.toThrow();
      expect(await world.pages()).toBe(pages);
    });
  });
};
