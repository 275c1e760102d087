import type { Element, ElementContent } from 'hast';
import type { Block } from '../lesson/blocks.ts';
import type { Lesson } from '../lesson/lesson.ts';
import { parseInline } from '../lesson/markdown.ts';
import { type Child, el } from './html-element.ts';
import { renderInline } from './markdown-to-html.ts';
import { safeAudio } from './safe-url.ts';

export type PageAudio = {
  /** A `data:audio/…;base64,` address, a web address, or a path beside the page. */
  readonly src: string;
  readonly durationMs: number;
};

export type PageVoice = { readonly speaker: string; readonly voiceName: string };

/** Speakers past this many share a colour with an earlier one; their names still tell them apart. */
export const SPEAKER_COLOURS = 6;

/** What is heard, beside what is read. */
export const studySection = (content: readonly Child[], listening: Element | null, label?: string): Element =>
  el('div', { className: ['study'] }, [
    el('div', { className: ['study-text'] }, [
      el('p', { className: ['eyebrow'] }, [label ?? 'Study text']),
      ...content,
    ]),
    listening,
  ]);

/** The player and who is speaking; null when there is neither. */
export const player = (
  lesson: Lesson,
  audio: PageAudio | undefined,
  cast: readonly PageVoice[],
): Element | null => {
  const src = audio ? safeAudio(audio.src) : null;
  if (!src && cast.length === 0) return null;
  return el('aside', { className: ['player'], ariaLabel: 'Listen' }, [
    src && audio
      ? el('p', { className: ['eyebrow'] }, [
          'Listen ',
          el('span', { className: ['duration'] }, [clock(audio.durationMs)]),
        ])
      : null,
    src ? el('audio', { controls: true, preload: 'metadata', src }) : null,
    cast.length > 0 ? el('ul', { className: ['cast'] }, cast.map(castLine(lesson))) : null,
  ]);
};

/** Milliseconds as m:ss. */
export const clock = (ms: number): string => {
  const seconds = Number.isFinite(ms) ? Math.max(0, Math.round(ms / 1000)) : 0;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
};

const castLine =
  (lesson: Lesson) =>
  ({ speaker, voiceName }: PageVoice): Element =>
    el('li', { className: [colourOf(lesson, speaker)] }, [
      el('span', { className: ['speaker'] }, [displayName(lesson, speaker)]),
      el('span', { className: ['voice'] }, [voiceName]),
    ]);

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

const displayName = ({ meta }: Lesson, speaker: string): string =>
  meta.speakerProfiles.find(({ id }) => same(id, speaker))?.displayName ?? speaker;

const colourOf = ({ studyText }: Lesson, speaker: string): string =>
  `speaker-${
    Math.max(
      0,
      studyText.speakers.findIndex((name) => same(name, speaker)),
    ) % SPEAKER_COLOURS
  }`;

type Said = { readonly line: number; readonly speaker: string | null; readonly lines: Element[] };

/**
 * A dialogue as it is spoken: each speaker's lines together under their name. What is only shown, such as a callout,
 * keeps its place between the turns.
 */
export const renderDialogue = (
  lesson: Lesson,
  children: readonly Block[],
  show: (blocks: readonly Block[]) => ElementContent[],
): ElementContent[] => {
  const shown = children.filter(({ type }) => type !== 'markdown');
  const said: Said[] = [];
  for (const { speaker, text, line } of lesson.studyText.turns) {
    const last = said.at(-1);
    const spoken = el('p', {}, renderInline(parseInline(text)));
    const interrupted = shown.some((block) => last && block.line > last.line && block.line < line);
    if (last && speaker === null && !interrupted) last.lines.push(spoken);
    else said.push({ line, speaker, lines: [spoken] });
  }
  return [
    ...said.map((turn) => ({ line: turn.line, content: [renderTurn(lesson, turn)] })),
    ...shown.map((block) => ({ line: block.line, content: show([block]) })),
  ]
    .sort((a, b) => a.line - b.line)
    .flatMap(({ content }) => content);
};

const renderTurn = (lesson: Lesson, { speaker, lines }: Said): Element =>
  el('div', { className: ['turn', ...(speaker === null ? [] : [colourOf(lesson, speaker)])] }, [
    speaker === null ? null : el('p', { className: ['speaker'] }, [displayName(lesson, speaker)]),
    el('div', { className: ['said'] }, lines),
  ]);
