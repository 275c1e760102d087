import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Lesson } from '../../src/lesson/lesson.ts';
import { type NotionBlock, walkBlocks } from '../../src/publisher/notion/block.ts';
import { lessonToBlocks } from '../../src/publisher/notion/lesson-to-blocks.ts';
import type { Publisher } from '../../src/publisher/publisher.ts';
import { sample } from '../lessons.ts';
import { forever, type NotionWorld, openNotionWorld, parsed } from './notion-world.ts';
import { RICHEST_OUTLINE, richestLesson } from './richest-lesson.ts';

const COLOURS = { h2: 'yellow_background', h3: 'purple_background', toggleMap: { h2: 'blue' } };

let world: NotionWorld;
let publisher: Publisher;
beforeAll(async () => {
  world = await openNotionWorld();
  publisher = world.publisher();
});
afterAll(() => world?.[Symbol.asyncDispose]());
beforeEach(() => {
  world.calls();
});

const publish = async (lesson: Lesson) => {
  const page = await publisher.publish(world.request(lesson, { colours: COLOURS }), null, forever);
  return { page, outline: world.server.outline(page.id) };
};

/** The part of a page from one heading to the next. */
const section = (outline: readonly string[], number: number): string[] => {
  const start = outline.findIndex((line) => line.includes(`: ${number}. `) && line.startsWith('heading_2'));
  const length = outline.slice(start + 1).findIndex((line) => /^heading_2\S*: \d\. /.test(line));
  return outline.slice(start + 1, length < 0 ? undefined : start + 1 + length);
};

const walkAll = (blocks: readonly NotionBlock[]): number => [...walkBlocks(blocks)].length;

const tiers = ({ children }: NotionBlock): number => 1 + Math.max(0, ...children.map(tiers));

/**
 * Requests that no client can do without. One adds at most 100 blocks under one parent and brings along two tiers below
 * them, so the children of a block with more than two tiers below it need a request of their own, and its id first: from
 * the answer to an append, since the one that makes the page tells no ids of blocks, or from a read, which costs as much.
 */
const fewest = (blocks: readonly NotionBlock[]): number => {
  const deep = blocks.findIndex((block) => tiers(block) > 3);
  const own = Math.ceil(blocks.length / 100);
  return deep < 0 ? own : Math.min(own + 1, 1 + Math.ceil((blocks.length - deep) / 100)) + below(blocks);
};

const below = (blocks: readonly NotionBlock[]): number =>
  blocks
    .filter((block) => tiers(block) > 3)
    .map(({ children }) => Math.ceil(children.length / 100) + below(children))
    .reduce((sum, each) => sum + each, 0);

describe('the page of a lesson', () => {
  it('says turn by turn who speaks, in the colours of the preset, by one request', async () => {
    const { page, outline } = await publish(parsed(await sample('street-party')));
    expect(world.calls()).toEqual(['GET /databases/:id', 'GET /data_sources/:id', 'POST /pages']);
    expect(outline.slice(0, 3)).toEqual([
      "heading_2(yellow_background): 1. 🎯 This Week's Mission Briefing",
      'paragraph: By the end you can talk about a normal working day.',
      'heading_2(yellow_background): 2. 🗺️ Your Homework Roadmap',
    ]);
    expect(section(outline, 3)).toEqual([
      'toggle(blue): study-text',
      '  paragraph: **Teacher: **We have two weeks. What shall we prepare first?',
      '  paragraph: **Nora: **I think we should ask the shops for tables.',
      '  paragraph: They said yes last year.',
      '  paragraph: **Sean: **Good idea. I could write to the music school as well.',
      "  paragraph: **Teacher: **Lovely. Then let's meet again on Friday.",
    ]);
    expect(section(outline, 8)).toEqual([
      'toggle(blue): Answer Key',
      '  numbered_list_item: opens',
      '  numbered_list_item: drink',
    ]);
    expect(page).toMatchObject({ publisher: 'notion', key: null, url: expect.stringContaining('https://') });
    expect(world.server.page(page.id)).toMatchObject({ icon: { emoji: '🎉' } });
  });

  it('of a monologue has its paragraphs', async () => {
    const { outline } = await publish(parsed(await sample('morning-at-the-harbour')));
    expect(section(outline, 3).slice(0, 2)).toEqual([
      'toggle(blue): study-text',
      '  paragraph: Tom opens the harbour gate before sunrise. He likes the quiet.',
    ]);
  });

  it('holds all that the lesson language has, with no request refused and none too many', async () => {
    const shared = world.server.givenPage(world.bare.sourceId, {});
    const original = world.server.givenBlock(
      shared,
      { synced_block: { synced_from: null, children: [{ paragraph: { rich_text: [] } }] } },
      null,
    );
    const lesson = parsed(richestLesson(original));
    await publish(parsed(await sample('street-party')));
    world.calls();
    const { outline } = await publish(lesson);
    expect(section(outline, 4)).toEqual(RICHEST_OUTLINE(original));
    expect(world.server.refused()).toEqual([]);

    const blocks = lessonToBlocks(lesson, COLOURS);
    expect(walkAll(blocks)).toBeGreaterThan(400);
    const withoutColumns = blocks.filter(({ type }) => type !== 'column_list');
    // 376 blocks at the top, one of the first too deep for the request that makes the page: 5. Three more for the list
    // of six tiers, one for the toggles of four.
    expect(fewest(withoutColumns)).toBe(9);
    // Columns: their ids take a read, the left one's list a request. In the right one a table is a tier too deep to come
    // along, and a column must not be empty: a stand-in, its id by a read, the table, and the stand-in taken out.
    expect(world.calls().length).toBe(9 + 2 + 3);
  });

  it('costs no more than a page without columns must', async () => {
    const { outline } = await publish(
      parsed(richestLesson('none').replace(/:::column-list[\s\S]*?\n:::\n:::\n/, '')),
    );
    expect(outline.join('\n')).not.toContain('column');
    expect(world.calls().length).toBe(9);
  });
});
