import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parcelWithText } from '../../src/lesson/finding-examples.ts';
import { parseLesson } from '../../src/lesson/lesson.ts';
import { type NotionBlock, walkBlocks } from '../../src/publisher/notion/block.ts';
import { lessonToBlocks } from '../../src/publisher/notion/lesson-to-blocks.ts';
import { packBlocks } from '../../src/publisher/notion/pack.ts';
import { splitText, type TextRun } from '../../src/publisher/notion/rich-text.ts';
import { outlineOf } from './notion-outline.ts';
import { MAX_BLOCKS, MAX_BODY_BYTES, readNewBlocks } from './notion-rules.ts';
import { forever, type NotionWorld, openNotionWorld } from './notion-world.ts';

/** Any lesson text is a lesson to the mapper, with whatever findings; but what is nested too deeply is not all in it. */
const lessonOf = (section: string) => {
  const { lesson, findings } = parseLesson(parcelWithText(section));
  if (!lesson) throw new Error('the front matter is broken');
  fc.pre(findings.every(({ code }) => code !== 'NESTING_TOO_DEEP'));
  return lesson;
};

const COLOURS = { h2: 'blue', h3: 'green', toggleMap: { h2: 'red' } };

/** Markdown that counts its words: `N` becomes w1, w2, … in the order of the text. */
const counted = (markdown: string): { text: string; words: string[] } => {
  const words: string[] = [];
  const text = markdown.replace(/\bN\b/g, () => {
    words.push(`w${words.length + 1}x`);
    return words.at(-1) ?? '';
  });
  return { text, words };
};

const indented = (text: string) => text.replace(/^/gm, '  ');

const { section } = fc.letrec<{ section: string; part: string; list: string }>((tie) => ({
  list: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constant('- N'),
    fc
      .array(tie('list'), { minLength: 1, maxLength: 3 })
      .map((inner) => `- N\n${indented(inner.join('\n'))}`),
    fc.constant('- [ ] N\n- [x] N'),
  ),
  part: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(
      'N **N** *N* `N` ~~N~~ [N](https://example.org) N',
      '### N',
      '#### N',
      '###### N',
      '1. N\n2. N',
      '> N\n>\n> > N',
      '> [!NOTE]\n> N',
      '| N | N |\n|---|---|\n| N | N |',
      '\n| N |\n| N |',
      '~~~js\nN\n\n  N\n~~~',
      '---',
      '![N](https://example.org/a.png)',
      ':::toc',
      'N<!-- gone -->',
      `N ${'long '.repeat(900)} N`,
      Array(130).fill('- N').join('\n'),
      `| N |\n|---|\n${Array(120).fill('| N |').join('\n')}`,
    ),
    tie('list'),
    tie('section').map((inner) => `:::toggle-heading N\n${inner}\n:::`),
    tie('section').map((inner) => `:::toggle-h3 N\n${inner}\n:::`),
    tie('section').map((inner) => `:::callout 💡\n${inner}\n:::`),
    tie('section').map((inner) => `:::synced-block\n${inner}\n:::`),
    fc
      .array(tie('section'), { minLength: 1, maxLength: 3 })
      .map((inner) => `:::column-list\n${inner.map((each) => `:::column\n${each}\n:::`).join('\n')}\n:::`),
  ),
  section: fc.array(tie('part'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('\n\n')),
}));

const fail = (path: readonly PropertyKey[], message: string): never => {
  throw new Error(`${path.join('.')}: ${message}`);
};

const runsOf = ({ value }: NotionBlock): TextRun[] => [
  ...((value.rich_text as TextRun[] | undefined) ?? []),
  ...((value.caption as TextRun[] | undefined) ?? []),
  ...((value.cells as TextRun[][] | undefined) ?? []).flat(),
];

const wordsOn = (blocks: readonly NotionBlock[]): string[] =>
  [...walkBlocks(blocks)].flatMap(
    (block) =>
      runsOf(block)
        .map(({ text }) => text.content)
        .join('')
        .match(/w\d+x/g) ?? [],
  );

const withinLimits = (blocks: readonly NotionBlock[]) => {
  for (const { children } of packBlocks(blocks)) {
    expect(Buffer.byteLength(JSON.stringify({ children }))).toBeLessThanOrEqual(MAX_BODY_BYTES);
    const made = readNewBlocks(children, fail);
    const count = (all: typeof made): number =>
      all.reduce((sum, each) => sum + 1 + count([...each.children]), 0);
    expect(count(made)).toBeLessThanOrEqual(MAX_BLOCKS);
  }
};

describe('any lesson as blocks', () => {
  it('has every word once, in order', () => {
    fc.assert(
      fc.property(section, (markdown) => {
        const { text, words } = counted(markdown);
        expect(wordsOn(lessonToBlocks(lessonOf(text), COLOURS))).toEqual(words);
      }),
      { numRuns: 20 },
    );
  });

  it('whatever its characters, is within every limit', () => {
    const wild = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.string({
        unit: fc.constantFrom(
          '*',
          '`',
          '[',
          '](',
          '|',
          '\n',
          ':::',
          '- ',
          '> ',
          ' ',
          'é',
          '👩‍🏫',
          '\t',
          '\u0000',
        ),
        maxLength: 80,
      }),
      fc.string({ maxLength: 40 }).map((text) => `${text}`.repeat(50)),
    );
    fc.assert(
      fc.property(wild, (text) => withinLimits(lessonToBlocks(lessonOf(text), COLOURS))),
      { numRuns: 40 },
    );
  });

  it('as large as a lesson can be, is within every limit', () => {
    const sizes = [
      '汉'.repeat(150_000),
      Array(4_500).fill('- 汉字汉字').join('\n'),
      `| ${'汉'.repeat(70_000)} | ${'字'.repeat(70_000)} |\n|---|---|\n| x | y |`,
      Array(150)
        .fill(`| ${'a |'.repeat(20)}`)
        .join('\n'),
      `~~~\n${'let a;\n'.repeat(4_000)}~~~`,
      Array(1_500).fill('**a** b').join(' '),
    ];
    for (const text of sizes) withinLimits(lessonToBlocks(lessonOf(text), COLOURS));
  });
});

describe('a text cut into pieces', () => {
  it('is the same text, in pieces that are short enough, with no character cut in two', () => {
    const text = fc.array(fc.string({ unit: 'grapheme', maxLength: 60 })).map((words) => words.join(' '));
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 40 }), (whole, max) => {
        const pieces = splitText(whole, max);
        expect(pieces.join('')).toBe(whole);
        for (const piece of pieces) {
          expect(piece.length).toBeLessThanOrEqual(max);
          expect(piece.length).toBeGreaterThan(0);
          if (whole.isWellFormed()) expect(piece.isWellFormed()).toBe(true);
        }
      }),
    );
  });

  it('is cut between words', () => {
    expect(splitText('one two three', 9)).toEqual(['one two ', 'three']);
  });
});

describe('the page of any lesson', () => {
  let world: NotionWorld;
  beforeAll(async () => {
    world = await openNotionWorld();
  });
  afterAll(() => world?.[Symbol.asyncDispose]());
  afterEach(() => {
    expect(world.server.refused()).toEqual([]);
  });

  it('has all its blocks, and after a change those of the new lesson', async () => {
    await fc.assert(
      fc.asyncProperty(section, section, async (first, second) => {
        const [lesson, changed] = [first, second].map((text) => lessonOf(counted(text).text));
        if (!lesson || !changed) return;
        const request = world.request(lesson, { colours: COLOURS });
        const page = await world.publisher().publish(request, null, forever);
        expect(world.server.outline(page.id)).toEqual(outlineOf(lessonToBlocks(lesson, COLOURS)));
        const previous = { ...request, previous: page, lesson: changed };
        const next = await world.publisher().publish(previous, null, forever);
        expect(next.id).toBe(page.id);
        expect(world.server.outline(page.id)).toEqual(outlineOf(lessonToBlocks(changed, COLOURS)));
      }),
      { numRuns: 4 },
    );
  }, 90_000);
});
