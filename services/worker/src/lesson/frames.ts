import type { Block, Column } from './blocks.ts';
import type { DirectiveName } from './directive-line.ts';
import { type FindingCode, quote, type Report } from './findings.ts';
import type { SourceLine } from './source-lines.ts';

/** A directive that waits for its `:::`. `unknown` and misplaced ones only pass their content on. */
export type Frame = {
  readonly name: Exclude<DirectiveName, 'toc' | 'audio' | 'video'> | 'root' | 'unknown';
  readonly line: number;
  readonly argument: string;
  readonly children: (Block | ({ readonly type: 'column' } & Column))[];
  /** Lines since the last directive, not yet parsed. */
  run: SourceLine[];
  /** All lines right inside a study text, with blank ones where another directive stood. */
  readonly spoken: SourceLine[] | null;
};

type Closed = readonly Frame['children'][number][];

const UNCLOSED: Partial<Record<Frame['name'], FindingCode>> = {
  'study-text': 'STUDY_TEXT_UNCLOSED',
  'toggle-heading': 'TOGGLE_UNCLOSED',
  'toggle-h1': 'TOGGLE_UNCLOSED',
  'toggle-h2': 'TOGGLE_UNCLOSED',
  'toggle-h3': 'TOGGLE_UNCLOSED',
  callout: 'CALLOUT_UNCLOSED',
  'column-list': 'COLUMNS_UNCLOSED',
  column: 'COLUMNS_UNCLOSED',
  'synced-block': 'SYNCED_UNCLOSED',
};

export const reportUnclosed = (frame: Frame, report: Report): void => {
  const code = UNCLOSED[frame.name];
  if (code)
    report(
      code,
      frame.line,
      `:::${frame.name} opens here and is never closed. End it with a line that is only :::.`,
    );
};

/** What a directive becomes once its content is known. */
export const closeFrame = (frame: Frame, parent: Frame, spoken: boolean, report: Report): Closed => {
  const { line, argument, name } = frame;
  const children = frame.children.flatMap((child) => (child.type === 'column' ? child.children : child));
  const empty = children.length === 0;
  switch (name) {
    case 'root':
    case 'unknown':
      return children;
    case 'study-text':
      return [{ type: name, line, ...(argument ? { label: argument } : {}), spoken, children }];
    case 'toggle-heading':
    case 'toggle-h1':
    case 'toggle-h2':
    case 'toggle-h3':
      if (argument === '')
        report('TOGGLE_LABEL', line, `This toggle has no label. Write one after :::${name}.`);
      return [{ type: 'toggle', line, level: LEVELS[name], label: argument, children }];
    case 'callout':
      if (empty)
        report('CALLOUT_EMPTY', line, 'This callout is empty. Write at least one line before its :::.');
      return [{ type: name, line, icon: readIcon(argument, line, report), children }];
    case 'column':
      if (empty) report('COLUMN_EMPTY', line, 'This column is empty. Write something in it, or remove it.');
      if (parent.name === 'column-list') return [{ type: name, line, children }];
      report(
        'COLUMN_MISPLACED',
        line,
        'A :::column belongs inside a :::column-list; its content is shown as usual.',
      );
      return children;
    case 'column-list':
      return [{ type: 'columns', line, columns: toColumns(frame, report) }];
    case 'synced-block':
      if (empty && argument === '')
        report(
          'SYNCED_EMPTY',
          line,
          'This synced block has neither a block id nor content. Give it one of them.',
        );
      return [{ type: 'synced', line, id: argument || null, children }];
  }
};

const LEVELS = { 'toggle-heading': null, 'toggle-h1': 1, 'toggle-h2': 2, 'toggle-h3': 3 } as const;

const EMOJI = /^(?:\p{RGI_Emoji}|\p{Extended_Pictographic})/v;

/** What else stands on a callout's first line; it becomes its first words. */
export const withoutIcon = (argument: string): string => argument.replace(EMOJI, '').trim();

const readIcon = (argument: string, line: number, report: Report): string | null => {
  const icon = EMOJI.exec(argument)?.[0] ?? null;
  if (!icon)
    report(
      'CALLOUT_ICON',
      line,
      `A callout needs an emoji${argument ? `, not ${quote(argument)}` : ''}. Write it after the name, as in :::callout 💡.`,
    );
  return icon;
};

const toColumns = (frame: Frame, report: Report): Column[] => {
  const columns: Column[] = [];
  for (const child of frame.children) {
    if (child.type === 'column') {
      columns.push({ line: child.line, children: child.children });
      continue;
    }
    report(
      'COLUMNS_TEXT',
      child.line,
      'This stands between columns, so it gets a column of its own. Move it into a :::column.',
    );
    columns.push({ line: child.line, children: [child] });
  }
  if (!frame.children.some(({ type }) => type === 'column'))
    report(
      'COLUMNS_EMPTY',
      frame.line,
      'This column list has no columns. Put :::column … ::: inside it, once for each column.',
    );
  return columns;
};
