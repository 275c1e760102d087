import type { Block } from './blocks.ts';
import { type BodyLine, readBody } from './body-lines.ts';
import { type DirectiveLine, readDirective } from './directive-line.ts';
import { quote, type Report } from './findings.ts';
import { closeFrame, type Frame, reportUnclosed, withoutIcon } from './frames.ts';
import { isWebUrl } from './front-matter.ts';
import { parseMarkdown } from './markdown.ts';
import { sectionOf } from './section-titles.ts';
import type { SourceLine } from './source-lines.ts';
import type { StudySource } from './study-text.ts';

/** Directives inside one another; what is deeper is shown at this level. */
export const MAX_DIRECTIVES = 8;

export type Scanned = { readonly blocks: readonly Block[]; readonly study: StudySource | null };

/**
 * Reads the lines of the body once, from top to bottom, into blocks. A directive that is never closed ends at the next
 * of the nine section headings, so that one forgotten `:::` is one finding.
 */
export const scanBody = (lines: readonly SourceLine[], report: Report): Scanned => {
  const root: Frame = { name: 'root', line: 0, argument: '', children: [], run: [], spoken: null };
  const open: Frame[] = [];
  let study: StudySource | null = null;
  let tooDeep = 0;

  const top = () => open.at(-1) ?? root;

  const flush = (): void => {
    const frame = top();
    const first = frame.run.findIndex(({ text }) => text.trim() !== '');
    const run = first < 0 ? [] : frame.run.slice(first);
    frame.run = [];
    const nodes = run[0] ? parseMarkdown(run, report) : [];
    if (run[0] && nodes.length > 0) frame.children.push({ type: 'markdown', line: run[0].number, nodes });
  };

  const close = (): void => {
    flush();
    const frame = open.pop();
    if (!frame) return;
    const spoken = frame.spoken !== null && study === null;
    if (frame.spoken && spoken)
      study = {
        line: frame.line,
        ...(frame.argument ? { label: frame.argument } : {}),
        lines: frame.spoken,
      };
    top().children.push(...closeFrame(frame, top(), spoken, report));
  };

  const closeAll = (): void => {
    for (const frame of open) reportUnclosed(frame, report);
    while (open.length > 0) close();
    tooDeep = 0;
  };

  const addText = (line: SourceLine, code = false): void => {
    const frame = top();
    frame.run.push(line);
    frame.spoken?.push(code ? { ...line, text: '' } : line);
  };

  const enter = (name: Frame['name'], argument: string, number: number): void => {
    if (open.length >= MAX_DIRECTIVES) {
      tooDeep += 1;
      report(
        'NESTING_TOO_DEEP',
        number,
        `Directives are nested too deeply here; ${MAX_DIRECTIVES} levels are possible. Close some of them first.`,
      );
      return;
    }
    const insideStudy = open.some((frame) => frame.spoken !== null);
    top().spoken?.push({ text: '', number });
    flush();
    if (insideStudy)
      report(
        'STUDY_TEXT_NESTED',
        number,
        `What is inside :::${name} is shown and not read aloud, because it is inside the study text.`,
      );
    const isStudy = name === 'study-text' && !insideStudy;
    if (isStudy && study)
      report(
        'STUDY_TEXT_REPEATED',
        number,
        'Only the first study text is read aloud; this one is only shown.',
      );
    open.push({ name, line: number, argument, children: [], run: [], spoken: isStudy ? [] : null });
  };

  const handle = (line: BodyLine, directive: DirectiveLine): void => {
    const { number } = line;
    if (directive.kind === 'open-unknown') {
      report(
        'DIRECTIVE_UNKNOWN',
        number,
        `There is no directive :::${quote(directive.name)}; what is inside it is shown as usual. Check the spelling.`,
      );
      enter('unknown', '', number);
    } else if (directive.kind === 'close') {
      const isStudy = top().name === 'study-text' && tooDeep === 0;
      checkForm(directive, isStudy, number, report);
      if (tooDeep > 0) tooDeep -= 1;
      else if (open.length > 0) close();
      else
        report(
          'DIRECTIVE_UNOPENED',
          number,
          'This ::: closes nothing. Remove it, or open a directive before it.',
        );
    } else if (directive.name === 'toc' || directive.name === 'audio' || directive.name === 'video') {
      checkForm(directive, false, number, report);
      addLeaf(directive.name, directive.argument, number);
    } else {
      checkForm(directive, directive.name === 'study-text', number, report);
      enter(directive.name, directive.argument, number);
      const words = directive.name === 'callout' ? withoutIcon(directive.argument) : '';
      if (words) addText({ text: words, number });
    }
  };

  const addLeaf = (type: 'toc' | 'audio' | 'video', argument: string, line: number): void => {
    top().spoken?.push({ text: '', number: line });
    flush();
    const url = argument.replace(/^<([^<>]*)>$/, '$1');
    if (type === 'toc') top().children.push({ type, line });
    else if (isWebUrl(url)) top().children.push({ type, line, url });
    else
      report(
        'MEDIA_URL',
        line,
        `:::${type} needs a web address that starts with https://${url ? `, not ${quote(url)}` : ''}.`,
      );
  };

  for (const line of readBody(lines)) {
    if (line.code) {
      addText(line, true);
      continue;
    }
    if (open.length > 0 && line.text.startsWith('## ') && sectionOf(line.text.slice(3)) >= 0) closeAll();
    const directive = readDirective(line.text);
    if (directive) handle(line, directive);
    else if (top().name === 'study-text' && /\S:::[ \t]*$|\S[ \t]:::[ \t]*$/.test(line.text)) {
      reportMalformed(line.number, report);
      addText({ ...line, text: line.text.slice(0, line.text.lastIndexOf(':::')) });
      close();
    } else {
      if (/:::study-text/i.test(line.text)) reportMalformed(line.number, report);
      addText(line);
    }
  }
  closeAll();
  flush();
  return { blocks: closeFrame(root, root, false, report) as Block[], study };
};

const reportMalformed = (line: number, report: Report): void =>
  report(
    'STUDY_TEXT_MALFORMED',
    line,
    'The marks of the study text must stand alone on their lines: :::study-text (with a label after a space, if you like) and, to end it, only :::.',
  );

const checkForm = (
  directive: Exclude<DirectiveLine, { kind: 'open-unknown' }>,
  isStudy: boolean,
  line: number,
  report: Report,
): void => {
  if (isStudy && directive.indented)
    report(
      'STUDY_TEXT_INDENTED',
      line,
      'The study text must open and close at the very start of a line. Remove the spaces before :::.',
    );
  if (!directive.oddly) return;
  if (isStudy) reportMalformed(line, report);
  else
    report(
      'DIRECTIVE_MALFORMED',
      line,
      directive.kind === 'close'
        ? 'A directive is closed by a line that is only :::. Remove what else is on this line.'
        : `Write the directive as :::${directive.name}, without a space before its name and with one after it.`,
    );
};
