import { closes, type FenceMark, fenceMark } from './fences.ts';
import type { Report } from './findings.ts';
import { isBlank, type SourceLine } from './source-lines.ts';

/**
 * The lesson inside its fence, without blank lines around it. Null when there is none. A fence that an inner code
 * sample closes too early is reported once and read to its real end, so that no follow-up errors hide the cause.
 */
export const openEnvelope = (lines: readonly SourceLine[], report: Report): SourceLine[] | null => {
  const first = lines.find((line) => !isBlank(line));
  if (first && /^---/.test(first.text)) {
    report(
      'ENVELOPE_MISSING',
      first.number,
      'The lesson is not inside a fenced block. Put a line ```markdown before it and a line ``` after it.',
      { severity: 'warning' },
    );
    return trimBlank(lines);
  }
  const openerAt = lines.findIndex(({ text }) => /^ {0,3}\S/.test(text) && fenceMark(text) !== null);
  const opener = fenceMark(lines[openerAt]?.text ?? '');
  if (!opener) {
    report(
      'ENVELOPE_MISSING',
      first?.number ?? 1,
      'There is no lesson here. Put the whole lesson between a line ```markdown and a line ```.',
    );
    return null;
  }
  const rest = lines.slice(openerAt + 1);
  const endAt = closingFence(rest, opener);
  if (endAt < 0) {
    report(
      'ENVELOPE_UNCLOSED',
      lines[openerAt]?.number ?? 1,
      `The fence that opens the lesson here is never closed. End the lesson with a line ${fenceOf(opener)}.`,
    );
    return trimBlank(rest);
  }
  return trimBlank(rest.slice(0, wholeLesson(rest, endAt, opener, report)));
};

const fenceOf = ({ char, length }: FenceMark) => char.repeat(length);

const closingFence = (lines: readonly SourceLine[], opener: FenceMark): number =>
  lines.findIndex(({ text }) => closes(fenceMark(text), opener));

/** Where the lesson really ends: `endAt`, or the last closing fence when an inner one came between. */
const wholeLesson = (
  lines: readonly SourceLine[],
  endAt: number,
  opener: FenceMark,
  report: Report,
): number => {
  const body = lines.slice(0, endAt);
  const after = lines.slice(endAt + 1);
  const inner = body.find(({ text }) => {
    const mark = fenceMark(text);
    return mark !== null && mark.info !== '' && mark.char === opener.char && mark.length >= opener.length;
  });
  const nextFence = after.find(({ text }) => fenceMark(text) !== null);
  if (!(inner && nextFence) && !(isCutShort(body) && after.some(({ text }) => isLessonText(text)))) {
    if (nextFence)
      report(
        'ENVELOPE_TRAILING',
        nextFence.number,
        'Only the first fenced block is read as the lesson; the block that starts here is ignored. Send one lesson a file.',
      );
    return endAt;
  }
  const from = inner ?? lines[endAt];
  report(
    'ENVELOPE_BROKEN',
    from?.number ?? 1,
    `The code fence on this line ends the lesson too early, because the lesson itself is fenced with ${fenceOf(opener)}. Fence the lesson with ${opener.char.repeat(opener.length + 1)} instead, at its start and its end.`,
  );
  const last = lines.findLastIndex(({ text }) => closes(fenceMark(text), opener));
  return lines.slice(last + 1).some(({ text }) => isLessonText(text)) ? lines.length : last;
};

const isLessonText = (text: string) => /^(?:## |[ \t]*:::)/.test(text);

/** A lesson that stops before its ninth section, or inside a directive, goes on after the fence. */
const isCutShort = (body: readonly SourceLine[]): boolean => {
  const headings = body.filter(({ text }) => /^## /.test(text)).length;
  const openers = body.filter(({ text }) => /^[ \t]*:::(?!toc|audio|video)[a-z]/i.test(text)).length;
  const closers = body.filter(({ text }) => /^[ \t]*:::[ \t]*$/.test(text)).length;
  return headings < 9 || openers > closers;
};

const trimBlank = (lines: readonly SourceLine[]): SourceLine[] => {
  const from = lines.findIndex((line) => !isBlank(line));
  return from < 0 ? [] : lines.slice(from, lines.findLastIndex((line) => !isBlank(line)) + 1);
};
