import { invalid } from './notion-refusal.ts';
import type { Block, DataSource, Json, Page, Workspace } from './notion-workspace.ts';

export const plain = (runs: unknown): string =>
  Array.isArray(runs) ? runs.map((run) => (run as { text: { content: string } }).text.content).join('') : '';

export const expandRuns = (runs: unknown): unknown =>
  (runs as { text: { content: string; link?: { url: string } }; annotations?: Json }[]).map(
    ({ text, annotations = {} }) => ({
      type: 'text',
      text: { content: text.content, link: text.link ?? null },
      annotations: {
        bold: false,
        italic: false,
        strikethrough: false,
        underline: false,
        code: false,
        color: 'default',
        ...annotations,
      },
      plain_text: text.content,
      href: text.link?.url ?? null,
    }),
  );

const COLOURED =
  /^(paragraph|heading_\d|(bulleted|numbered)_list_item|quote|toggle|to_do|callout|table_of_contents)$/;

const expandValue = (type: string, value: Json): Json => {
  const answer: Json = { ...value };
  for (const key of ['rich_text', 'caption']) if (answer[key]) answer[key] = expandRuns(answer[key]);
  if (type === 'table_row') answer.cells = (value.cells as unknown[]).map(expandRuns);
  if (COLOURED.test(type)) answer.color = value.color ?? 'default';
  if (/^heading/.test(type)) answer.is_toggleable = value.is_toggleable ?? false;
  if (type === 'to_do') answer.checked = value.checked ?? false;
  if (['image', 'audio', 'video'].includes(type)) {
    answer.caption ??= [];
    if (value.file_upload) {
      const { id } = value.file_upload as { id: string };
      delete answer.file_upload;
      Object.assign(answer, {
        type: 'file',
        file: {
          url: `https://files.notion.example/${id}?signature=s`,
          expiry_time: new Date().toISOString(),
        },
      });
    } else answer.type = 'external';
  }
  return answer;
};

export const minute = (date: Date) => new Date(Math.floor(date.getTime() / 60_000) * 60_000).toISOString();
/** Pages, blocks and data sources as the API answers them. */
export const objectsOf = (space: Workspace) => {
  const { pages, sources } = space;
  const userObject = (id: string) => ({ object: 'user', id });
  const pageObject = (page: Page): Json => ({
    object: 'page',
    id: page.id,
    created_time: minute(page.createdAt),
    last_edited_time: minute(page.createdAt),
    created_by: userObject(page.createdBy),
    last_edited_by: userObject(page.createdBy),
    in_trash: page.inTrash,
    archived: page.inTrash,
    is_archived: false,
    is_locked: false,
    url: `https://www.notion.example/${page.id.replaceAll('-', '')}`,
    public_url: null,
    parent: {
      type: 'data_source_id',
      data_source_id: page.dataSourceId,
      database_id: sources.get(page.dataSourceId)?.databaseId,
    },
    properties: Object.fromEntries(
      Object.entries(sources.get(page.dataSourceId)?.properties ?? {}).map(([name, { type }]) => {
        const value = (page.properties[name] as Json | undefined)?.[type];
        const isText = type === 'title' || type === 'rich_text';
        const empty = ['title', 'rich_text', 'multi_select', 'relation', 'people', 'files'].includes(type)
          ? []
          : null;
        return [
          name,
          {
            id: type === 'title' ? 'title' : name,
            type,
            [type]: value === undefined ? empty : isText ? expandRuns(value) : value,
          },
        ];
      }),
    ),
    icon: page.icon ?? null,
    cover: page.cover ?? null,
  });
  const blockObject = (block: Block): Json => ({
    object: 'block',
    id: block.id,
    type: block.type,
    [block.type]: expandValue(block.type, block.value),
    parent: pages.has(block.parentId)
      ? { type: 'page_id', page_id: block.parentId }
      : { type: 'block_id', block_id: block.parentId },
    has_children: block.children.some(({ inTrash }) => !inTrash),
    in_trash: block.inTrash,
    archived: block.inTrash,
    created_time: minute(space.now()),
    last_edited_time: minute(space.now()),
    created_by: userObject(block.createdBy),
    last_edited_by: userObject(block.createdBy),
  });
  const sourceObject = (source: DataSource): Json => ({
    object: 'data_source',
    id: source.id,
    title: expandRuns([{ text: { content: source.name } }]),
    description: [],
    parent: { type: 'database_id', database_id: source.databaseId },
    database_parent: { type: 'workspace', workspace: true },
    is_inline: false,
    in_trash: false,
    archived: false,
    created_time: minute(space.now()),
    last_edited_time: minute(space.now()),
    created_by: userObject(space.bot),
    last_edited_by: userObject(space.bot),
    properties: Object.fromEntries(
      Object.entries(source.properties).map(([name, { type, options = [], dataSourceId }]) => [
        name,
        {
          id: type === 'title' ? 'title' : name,
          name,
          description: null,
          type,
          [type]:
            type === 'relation'
              ? { data_source_id: dataSourceId, type: 'single_property', single_property: {} }
              : options.length > 0
                ? { options: options.map((option) => ({ id: option, name: option, color: 'default' })) }
                : {},
        },
      ]),
    ),
    icon: null,
    cover: null,
    url: `https://www.notion.example/${source.databaseId}`,
    public_url: null,
  });
  const list = (type: string, results: Json[], query: { start?: string | null; size?: number }) => {
    const size = query.size ?? 100;
    if (size > 100 || size < 1) throw invalid('page_size should be at most 100');
    const from = query.start ? Number(query.start) : 0;
    const part = results.slice(from, from + size);
    const next = from + size < results.length ? String(from + size) : null;
    return { object: 'list', type, [type]: {}, results: part, next_cursor: next, has_more: next !== null };
  };

  return { pageObject, blockObject, sourceObject, list };
};
