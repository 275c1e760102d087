import { createHash } from 'node:crypto';
import type { Element, ElementContent, Root } from 'hast';
import { toHtml } from 'hast-util-to-html';
import type { Block } from '../lesson/blocks.ts';
import type { Lesson } from '../lesson/lesson.ts';
import {
  contents,
  endsInH2,
  isSectionHeading,
  type PageContext,
  renderBlock,
  type TocEntry,
  titleOf,
} from './blocks-to-html.ts';
import { type Child, el } from './html-element.ts';
import { PAGE_STYLE } from './page-style.ts';
import { type PresetColours, tintRule } from './preset-tints.ts';
import { safeImage } from './safe-url.ts';
import { type PageAudio, type PageVoice, player } from './study-section.ts';

export type PageRequest = {
  readonly lesson: Lesson;
  readonly colours?: PresetColours;
  readonly audio?: PageAudio;
  readonly cast?: readonly PageVoice[];
  readonly generatedAt: Date;
};

/**
 * The lesson as one HTML document that needs nothing else: no script, no font, no style from elsewhere. The same
 * request gives the same bytes. Text of the lesson reaches it only as text nodes and checked addresses.
 */
export const renderPage = ({ lesson, colours = {}, audio, cast = [], generatedAt }: PageRequest): string => {
  const sections = toSections(lesson.body);
  const toc = sections.flatMap(({ entry }) => entry ?? []);
  const listening = player(lesson, audio, cast);
  const page: PageContext = { lesson, toc, listening };
  const orphan = lesson.studyText.line === 0 ? listening : null;
  const style = PAGE_STYLE + tints(colours);
  const title = lesson.meta.title || 'Lesson';

  const document: Root = {
    type: 'root',
    children: [
      { type: 'doctype' },
      el('html', { lang: 'en' }, [
        head(title, lesson.meta.icon ?? '📘', style),
        el('body', {}, [
          el('a', { className: ['skip'], href: '#lesson' }, ['Skip to the lesson']),
          header(lesson, title),
          el('div', { className: ['layout'] }, [
            toc.length > 1
              ? el('div', { className: ['side'] }, [
                  el('p', { className: ['eyebrow'], ariaHidden: 'true' }, ['Contents']),
                  contents(toc, 'Sections'),
                ])
              : null,
            el('main', { id: 'lesson', tabIndex: -1 }, [
              orphan,
              ...sections.map((section) => renderSection(section, page)),
            ]),
          ]),
          footer(generatedAt),
        ]),
      ]),
    ],
  };
  return `${toHtml(document)}\n`;
};

const head = (title: string, icon: string, style: string): Element => {
  const hash = createHash('sha256').update(style).digest('base64');
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${hash}'`,
    'img-src https: data:',
    "media-src 'self' data: http: https: file:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><text y=".9em" font-size="90">${icon}</text></svg>`;
  return el('head', {}, [
    el('meta', { charSet: 'utf-8' }),
    el('meta', { httpEquiv: ['Content-Security-Policy'], content: policy }),
    el('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
    el('meta', { name: 'referrer', content: 'no-referrer' }),
    el('title', {}, [title]),
    el('link', { rel: ['icon'], href: `data:image/svg+xml,${encodeURIComponent(svg)}` }),
    el('style', {}, [style]),
  ]);
};

const header = ({ meta }: Lesson, title: string): Element => {
  const cover = meta.cover ? safeImage(meta.cover) : null;
  const facts: readonly (readonly [string, string])[] = [
    ['Student', meta.student],
    ['Level', meta.level],
    ['Topic', meta.topic],
  ];
  return el('header', { className: ['top'] }, [
    cover ? el('img', { className: ['cover'], src: cover, alt: '' }) : null,
    el('div', { className: ['top-text'] }, [
      meta.icon ? el('span', { className: ['icon'], ariaHidden: 'true' }, [meta.icon]) : null,
      el('h1', {}, [title]),
      el(
        'dl',
        { className: ['facts'] },
        facts
          .filter(([, value]) => value !== '')
          .map(([name, value]) => el('div', {}, [el('dt', {}, [name]), el('dd', {}, [value])])),
      ),
    ]),
  ]);
};

const footer = (generatedAt: Date): Element => {
  const iso = generatedAt.toISOString();
  return el('footer', {}, [
    el('p', {}, [
      'Made on ',
      el('time', { dateTime: iso }, [`${iso.slice(0, 10)} at ${iso.slice(11, 16)} UTC`]),
    ]),
  ]);
};

const tints = ({ h2, h3, toggleMap }: PresetColours): string =>
  tintRule('.tint-h2', h2) + tintRule('.tint-h3', h3) + tintRule('.tint-toggle', toggleMap?.h2);

type Part = { readonly block: Block; readonly afterH2: boolean };
type Section = { readonly entry: TocEntry | null; readonly parts: Part[] };

/** Cuts the body at its top-level headings, so that each section is a landmark of its own. */
const toSections = (body: readonly Block[]): Section[] => {
  const sections: Section[] = [{ entry: null, parts: [] }];
  const add = (block: Block, afterH2: boolean) => sections.at(-1)?.parts.push({ block, afterH2 });
  for (const [index, block] of body.entries()) {
    if (block.type !== 'markdown') {
      add(block, endsInH2(body[index - 1]));
      continue;
    }
    let from = 0;
    for (const [at, node] of block.nodes.entries()) {
      if (!isSectionHeading(node)) continue;
      if (at > from) add({ ...block, nodes: block.nodes.slice(from, at) }, false);
      sections.push({ entry: { id: `section-${sections.length}`, text: titleOf(node) }, parts: [] });
      from = at;
    }
    if (from < block.nodes.length) add({ ...block, nodes: block.nodes.slice(from) }, false);
  }
  return sections.filter(({ parts }) => parts.length > 0);
};

const renderSection = ({ entry, parts }: Section, page: PageContext): Element => {
  const children: Child[] = parts.flatMap(({ block, afterH2 }): ElementContent[] =>
    renderBlock(block, page, true, afterH2),
  );
  if (!entry) return el('div', {}, children);
  const heading = children.find(
    (child): child is Element => typeof child === 'object' && child?.type === 'element',
  );
  if (heading) heading.properties.id = entry.id;
  return el('section', { ariaLabelledBy: [entry.id] }, children);
};
