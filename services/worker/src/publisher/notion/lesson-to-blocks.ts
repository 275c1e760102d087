import type { RootContent } from 'mdast';
import { type Block, type Column, childrenOf } from '../../lesson/blocks.ts';
import type { Lesson } from '../../lesson/lesson.ts';
import { parseInline } from '../../lesson/markdown.ts';
import type { PresetColours } from '../../pipeline/settings.ts';
import { block, type NotionBlock, paragraph, STUDY_TEXT } from './block.ts';
import { MAX_URL } from './limits.ts';
import { container, emoji, type HeadingColours, markdownToBlocks } from './markdown-to-blocks.ts';
import { perBlock, plainRuns, toRuns } from './rich-text.ts';

type Place = {
  readonly lesson: Lesson;
  readonly colours: HeadingColours;
  /** Colour of a toggle directly after an h2; only at the top of the page. */
  readonly toggle: string | undefined;
};

/**
 * The lesson as the blocks of its page. The preset colours h2 and h3 at the top level, the toggle directly after an h2,
 * and h3 inside toggles; not what is inside toggle headings, columns or callouts.
 */
export const lessonToBlocks = (lesson: Lesson, preset: PresetColours): NotionBlock[] => {
  const [h2, h3, toggle] = [preset.h2, preset.h3, preset.toggleMap?.h2].map(knownColour);
  return toBlocks(lesson.body, {
    lesson,
    colours: { ...(h2 && { h2 }), ...(h3 && { h3 }) },
    toggle,
  });
};

const COLOURS = ['default', 'gray', 'brown', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'red'];
const KNOWN: ReadonlySet<string> = new Set(COLOURS.flatMap((name) => [name, `${name}_background`]));

const knownColour = (name: string | undefined): string | undefined =>
  name !== undefined && KNOWN.has(name) && name !== 'default' ? name : undefined;

const toBlocks = (blocks: readonly Block[], place: Place): NotionBlock[] => {
  const all: NotionBlock[] = [];
  for (const each of blocks) {
    const last = all.at(-1);
    const afterH2 = last?.type === 'heading_2' && !last.value.is_toggleable;
    const [first, ...rest] = toBlock(each, place);
    if (!first) continue;
    const coloured = afterH2 && first.type === 'toggle' && place.toggle !== undefined;
    all.push(coloured ? { ...first, value: { ...first.value, color: place.toggle } } : first, ...rest);
  }
  return all;
};

const toBlock = (each: Block, place: Place): NotionBlock[] => {
  const inside = (children: readonly Block[], colours: HeadingColours) =>
    toBlocks(children, { ...place, colours, toggle: undefined });
  const onlyH3: HeadingColours = place.colours.h3 ? { h3: place.colours.h3 } : {};
  switch (each.type) {
    case 'markdown':
      return markdownToBlocks(each.nodes, place.colours);
    case 'study-text':
      return [
        block('toggle', { rich_text: plainRuns(STUDY_TEXT) }, [
          ...studyText(each, { ...place, colours: onlyH3, toggle: undefined }),
        ]),
      ];
    case 'toggle': {
      const label = toRuns(parseInline(each.label || 'More'));
      if (each.level === null) return [container('toggle', {}, label, inside(each.children, onlyH3))];
      const colour = each.level === 2 ? place.colours.h2 : each.level === 3 ? place.colours.h3 : undefined;
      const value = { is_toggleable: true, ...(colour && { color: colour }) };
      return [container(`heading_${each.level}`, value, label, inside(each.children, {}))];
    }
    case 'callout':
      return [callout(each.icon, each.children, (children) => inside(children, {}))];
    case 'columns':
      return columns(each.columns, (children) => inside(children, {}));
    case 'synced':
      return synced(each.id, inside(each.children, place.colours));
    case 'toc':
      return [block('table_of_contents')];
    case 'audio':
    case 'video':
      return each.url.length > MAX_URL
        ? perBlock(plainRuns(each.url)).map(paragraph)
        : [block(each.type, { type: 'external', external: { url: each.url } })];
  }
};

/** A callout's first paragraph is its text, the rest its children. */
const callout = (
  icon: string | null,
  children: readonly Block[],
  inside: (children: readonly Block[]) => NotionBlock[],
): NotionBlock => {
  const value = icon ? { icon: emoji(icon) } : {};
  const [first, ...rest] = children;
  const [text, ...nodes] = first?.type === 'markdown' ? first.nodes : [];
  if (first?.type !== 'markdown' || text?.type !== 'paragraph')
    return container('callout', value, [], inside(children));
  const more: readonly Block[] = nodes.length > 0 ? [{ ...first, nodes }, ...rest] : rest;
  return container('callout', value, toRuns(text.children), inside(more));
};

/** Notion has no list of fewer than two columns, and no column without a block. */
const columns = (
  all: readonly Column[],
  inside: (children: readonly Block[]) => NotionBlock[],
): NotionBlock[] => {
  const contents = all.map(({ children }) => inside(children));
  if (contents.length < 2) return contents.flat();
  return [
    block(
      'column_list',
      {},
      contents.map((content) => block('column', {}, content.length > 0 ? content : [paragraph([])])),
    ),
  ];
};

const ID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

export const isNotionId = (text: string): boolean => ID.test(text);

/** A reference to a block elsewhere has no content of its own. What is no id of Notion's is passed over. */
const synced = (id: string | null, content: readonly NotionBlock[]): NotionBlock[] => {
  if (id !== null && isNotionId(id))
    return [block('synced_block', { synced_from: { type: 'block_id', block_id: id } })];
  return content.length > 0 ? [block('synced_block', { synced_from: null }, content)] : [];
};

type Study = Extract<Block, { type: 'study-text' }>;

/** A dialogue turn by turn, with what is only shown in its place between them; a monologue as it is written. */
const studyText = (study: Study, place: Place): NotionBlock[] => {
  const { turns, kind } = place.lesson.studyText;
  if (!study.spoken || kind !== 'dialogue') return toBlocks(study.children, place);
  const shown = childrenOf(study).flatMap((child) => {
    if (child.type !== 'markdown') return [child];
    const nodes = child.nodes.filter(({ type }) => NEVER_SPOKEN.has(type));
    return nodes.map(
      (node): Block => ({ ...child, line: node.position?.start.line ?? child.line, nodes: [node] }),
    );
  });
  return [
    ...turns.map(({ speaker, text, line }) => {
      const name = speaker === null ? [] : plainRuns(`${speaker}: `, { bold: true });
      const blocks = perBlock([...name, ...toRuns(parseInline(text))]).map(paragraph);
      return { line, blocks };
    }),
    ...shown.map((child) => ({ line: child.line, blocks: toBlocks([child], place) })),
  ]
    .sort((a, b) => a.line - b.line)
    .flatMap(({ blocks }) => blocks);
};

/** Markdown inside a dialogue that is no turn of it. */
const NEVER_SPOKEN: ReadonlySet<RootContent['type']> = new Set(['code']);
