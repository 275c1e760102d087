import type { Element, ElementContent } from 'hast';
import type { RootContent } from 'mdast';
import type { Block } from '../lesson/blocks.ts';
import type { Lesson } from '../lesson/lesson.ts';
import { parseInline, textOf } from '../lesson/markdown.ts';
import { type Child, el } from './html-element.ts';
import { callout, headingTag, renderInline, renderLeaves } from './markdown-to-html.ts';
import { safeLink } from './safe-url.ts';
import { renderDialogue, studySection } from './study-section.ts';

export type TocEntry = { readonly id: string; readonly text: string };

/** What a lesson's blocks need to know of the page around them. */
export type PageContext = {
  readonly lesson: Lesson;
  readonly toc: readonly TocEntry[];
  readonly listening: Element | null;
};

/** `tinted`: headings here take the preset's colours, as on the Notion page. */
export const renderBlocks = (
  blocks: readonly Block[],
  page: PageContext,
  tinted: boolean,
): ElementContent[] => blocks.flatMap((block) => renderBlock(block, page, tinted));

export const renderBlock = (
  block: Block,
  page: PageContext,
  tinted: boolean,
  afterH2 = false,
): ElementContent[] => {
  switch (block.type) {
    case 'markdown':
      return renderLeaves(block.nodes, tinted);
    case 'study-text':
      return [renderStudy(block, page)];
    case 'toggle':
      return [renderToggle(block, page, tinted, afterH2)];
    case 'callout':
      return [callout(block.icon, renderBlocks(block.children, page, false))];
    case 'columns':
      return [
        el(
          'div',
          { className: ['columns'] },
          block.columns.map(({ children }) => el('div', {}, renderBlocks(children, page, false))),
        ),
      ];
    case 'synced':
      return block.children.length > 0
        ? renderBlocks(block.children, page, tinted)
        : [el('p', { className: ['quiet'] }, ['This part is shared with another Notion page.'])];
    case 'toc':
      return [contents(page.toc, 'Contents of this lesson')];
    case 'audio':
    case 'video':
      return [renderMedia(block.type, block.url)];
  }
};

export const contents = (toc: readonly TocEntry[], label: string): Element =>
  el('nav', { className: ['contents'], ariaLabel: label }, [
    el(
      'ul',
      {},
      toc.map(({ id, text }) => el('li', {}, [el('a', { href: `#${id}` }, [text])])),
    ),
  ]);

const renderStudy = (block: Extract<Block, { type: 'study-text' }>, page: PageContext): Element => {
  const { lesson, listening } = page;
  const inTurns = block.spoken && lesson.studyText.kind === 'dialogue';
  const show = (blocks: readonly Block[]) => renderBlocks(blocks, page, false);
  const content = inTurns ? renderDialogue(lesson, block.children, show) : show(block.children);
  return studySection(content, block.spoken ? listening : null, block.label);
};

const renderToggle = (
  block: Extract<Block, { type: 'toggle' }>,
  page: PageContext,
  tinted: boolean,
  afterH2: boolean,
): Element => {
  const label: Child[] = block.label ? renderInline(parseInline(block.label)) : ['More'];
  const tint = tinted && block.level ? [`tint-h${block.level}`] : afterH2 ? ['tint-toggle'] : [];
  const title = el(block.level ? headingTag(block.level) : 'span', { className: tint }, label);
  return el('details', {}, [
    el('summary', {}, [title]),
    el(
      'div',
      { className: ['toggle-text'] },
      renderBlocks(block.children, page, tinted && block.level === null),
    ),
  ]);
};

const PLAYABLE = {
  audio: /\.(?:mp3|m4a|ogg|oga|opus|wav|aac|flac)$/i,
  video: /\.(?:mp4|m4v|webm|ogv)$/i,
} as const;

/** A player for media files, which loads nothing until it is asked to; a link to everything else. */
const renderMedia = (type: 'audio' | 'video', url: string): Element => {
  const src = safeLink(url);
  if (!src) return el('p', {}, [url]);
  const link = el('a', { href: src, rel: ['noopener', 'noreferrer'] }, [
    `${type === 'audio' ? 'Listen' : 'Watch'} at ${new URL(src).host}`,
  ]);
  if (!PLAYABLE[type].test(new URL(src).pathname)) return el('p', { className: ['media'] }, [link]);
  return el('figure', { className: ['media'] }, [
    el(type, { controls: true, preload: 'none', src }),
    el('figcaption', {}, [link]),
  ]);
};

export const isSectionHeading = (node: RootContent | undefined): boolean =>
  node?.type === 'heading' && node.depth === 2;

/** Whether a block ends in an h2, so that a toggle after it belongs to that heading. */
export const endsInH2 = (block: Block | undefined): boolean =>
  block?.type === 'markdown' && isSectionHeading(block.nodes.at(-1));

export const titleOf = (node: RootContent): string => textOf(node).replace(/\s+/g, ' ').trim();
