/** A block with those inside it, on the page or still to be made. */
export type Outlined = {
  readonly type: string;
  readonly value: Readonly<Record<string, unknown>>;
  readonly children: readonly Outlined[];
};

type Run = {
  readonly text: { readonly content: string; readonly link?: { readonly url: string } };
  readonly annotations?: Readonly<Record<string, unknown>>;
};

/** Blocks as lines: type, what is particular, text; children indented. */
export const outlineOf = (blocks: readonly Outlined[], indent = ''): string[] =>
  blocks.flatMap((block) => [`${indent}${lineOf(block)}`, ...outlineOf(block.children, `${indent}  `)]);

const MARKS = { bold: '**', italic: '*', strikethrough: '~~', code: '`' } as const;

/** Text with its marks, pieces of one style joined. */
const marked = (runs: unknown): string => {
  const joined: { marks: string[]; link: string; text: string }[] = [];
  for (const run of Array.isArray(runs) ? (runs as Run[]) : []) {
    const marks = Object.entries(MARKS).flatMap(([name, mark]) => (run.annotations?.[name] ? [mark] : []));
    const link = run.text.link?.url ?? '';
    const last = joined.at(-1);
    if (last && last.link === link && last.marks.join() === marks.join()) last.text += run.text.content;
    else joined.push({ marks, link, text: run.text.content });
  }
  return joined
    .map(({ marks, link, text }) => {
      const inner = `${marks.join('')}${text}${marks.toReversed().join('')}`;
      return link ? `[${inner}](${link})` : inner;
    })
    .join('');
};

const lineOf = ({ type, value }: Outlined): string => {
  const facts = [
    value.color && value.color !== 'default' ? value.color : null,
    value.is_toggleable ? 'toggle' : null,
    type === 'to_do' ? (value.checked ? 'done' : 'open') : null,
    type === 'code' ? value.language : null,
    (value.icon as { emoji?: string } | undefined)?.emoji ?? null,
    type === 'table' ? `${value.table_width} wide${value.has_column_header ? ', header' : ''}` : null,
    (value.synced_from as { block_id?: string } | undefined)?.block_id ?? null,
    (value.external as { url?: string } | undefined)?.url ?? null,
    value.file_upload ? 'file' : null,
  ].filter(Boolean);
  const text =
    type === 'table_row'
      ? (value.cells as unknown[]).map(marked).join(' | ')
      : marked(value.rich_text ?? value.caption);
  return [type, facts.length > 0 ? `(${facts.join(' ')})` : '', text && `: ${text}`].join('');
};
