// A Notion of one workspace on loopback, as strict as the real one: for specs, benches, and trying things by hand.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type Outlined, outlineOf } from './notion-outline.ts';
import {
  blockUpdate,
  CAN_HAVE_CHILDREN,
  cover,
  dataSourceParent,
  icon,
  id as idSchema,
  MAX_BLOCKS,
  MAX_BODY_BYTES,
  type NewBlock,
  PROPERTY_VALUES,
  position as positionSchema,
  readNewBlocks,
} from './notion-rules.ts';

export type Json = Record<string, unknown>;

type Block = {
  readonly id: string;
  readonly type: string;
  value: Json;
  readonly parentId: string;
  readonly createdBy: string;
  children: Block[];
  inTrash: boolean;
};

type Page = {
  readonly id: string;
  dataSourceId: string;
  properties: Json;
  icon: unknown;
  cover: unknown;
  readonly createdBy: string;
  readonly createdAt: Date;
  inTrash: boolean;
  children: Block[];
};

export type PropertyConfig = {
  readonly type: string;
  readonly options?: readonly string[];
  readonly dataSourceId?: string;
};

type DataSource = {
  readonly id: string;
  readonly name: string;
  readonly databaseId: string;
  properties: Record<string, PropertyConfig>;
};

type Database = {
  readonly id: string;
  readonly name: string;
  readonly sources: DataSource[];
  isShared: boolean;
};

/** What goes wrong with a request. `lose` does the work first. */
export type Fault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly retryAfter?: number;
      readonly lose?: boolean;
    }
  | { readonly kind: 'reset'; readonly lose?: boolean }
  | { readonly kind: 'slow'; readonly ms: number };

export type SeenRequest = {
  readonly method: string;
  readonly path: string;
  readonly body: Json | null;
  status: number;
};

class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}
const invalid = (message: string) => new Refusal(400, 'validation_error', message);
const missing = (what: string, id: string) =>
  new Refusal(
    404,
    'object_not_found',
    `Could not find ${what} with ID: ${id}. Make sure the relevant pages and databases are shared with your integration.`,
  );

const CODES: Readonly<Record<number, string>> = {
  400: 'validation_error',
  401: 'unauthorized',
  403: 'restricted_resource',
  404: 'object_not_found',
  409: 'conflict_error',
  429: 'rate_limited',
  500: 'internal_server_error',
  503: 'service_unavailable',
  504: 'gateway_timeout',
  529: 'service_overload',
};

const check = <S extends z.ZodType>(schema: S, value: unknown, at = 'body'): z.infer<S> => {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = deepest(result.error.issues);
  throw invalid(`body failed validation: ${[at, ...issue.path].join('.')}: ${issue.message}`);
};

type Issue = { readonly path: PropertyKey[]; readonly message: string };
/** Of a union's faults the one that got farthest says most. */
const deepest = (issues: readonly z.core.$ZodIssue[], base: PropertyKey[] = []): Issue =>
  issues
    .map((issue): Issue => {
      const path = [...base, ...issue.path];
      if (issue.code !== 'invalid_union' || issue.errors.length === 0)
        return { path, message: issue.message };
      return (
        issue.errors
          .map((inner) => deepest(inner, path))
          .toSorted((a, b) => b.path.length - a.path.length)[0] ?? { path, message: '' }
      );
    })
    .toSorted((a, b) => b.path.length - a.path.length)[0] ?? { path: base, message: 'invalid' };

const newBlocks = (given: unknown): NewBlock[] =>
  readNewBlocks(given, (path, message) => {
    throw invalid(`body failed validation: ${['body', ...path].join('.')}: ${message}`);
  });

const plain = (runs: unknown): string =>
  Array.isArray(runs) ? runs.map((run) => (run as { text: { content: string } }).text.content).join('') : '';

const expandRuns = (runs: unknown): unknown =>
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

const VERSIONS = ['2025-09-03', '2026-03-11'];

const minute = (date: Date) => new Date(Math.floor(date.getTime() / 60_000) * 60_000).toISOString();

export const openNotionServer = async () => {
  const token = `ntn_${randomUUID().replaceAll('-', '')}`;
  /** Who each token stands for. */
  const tokens = new Map([[token, randomUUID()]]);
  let bot = tokens.get(token) ?? '';
  const people = new Map<string, string>();
  const databases = new Map<string, Database>();
  const sources = new Map<string, DataSource>();
  const pages = new Map<string, Page>();
  const blocks = new Map<string, Block>();
  const uploads = new Map<
    string,
    { status: string; parts: Map<number, Buffer>; total: number; filename: string }
  >();
  const requests: SeenRequest[] = [];
  const faults: {
    readonly matches: (seen: SeenRequest, index: number) => boolean;
    readonly fault: Fault;
    times: number;
  }[] = [];
  const listeners = new Map<number, () => void>();
  let now = () => new Date();

  const norm = (id: string) => {
    check(idSchema, id, 'path');
    const hex = id.replaceAll('-', '').toLowerCase();
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  };

  const isShared = (source: DataSource) => databases.get(source.databaseId)?.isShared === true;
  const sourceOf = (id: string): DataSource => {
    const found = sources.get(norm(id));
    if (!found || !isShared(found)) throw missing('data_source', id);
    return found;
  };
  const pageOf = (id: string): Page => {
    const found = pages.get(norm(id));
    const source = found && sources.get(found.dataSourceId);
    if (!found || !source || !isShared(source)) throw missing('page', id);
    return found;
  };
  const blockOf = (id: string): Block => {
    const found = blocks.get(norm(id));
    if (!found) throw missing('block', id);
    pageOfBlock(found);
    return found;
  };
  const pageOfBlock = (block: Block): Page => {
    const parent = blocks.get(block.parentId);
    return parent ? pageOfBlock(parent) : pageOf(block.parentId);
  };

  const checkProperties = (source: DataSource, properties: unknown): Json => {
    const given = check(
      z.record(z.string(), z.record(z.string(), z.unknown())),
      properties,
      'body.properties',
    );
    for (const [name, value] of Object.entries(given)) {
      const config = source.properties[name];
      if (!config) throw invalid(`${name} is not a property that exists.`);
      const schema = PROPERTY_VALUES[config.type];
      if (!schema) throw invalid(`${name} cannot be set: ${config.type} is computed.`);
      const { type, ...content } = value;
      if (type !== undefined && type !== config.type)
        throw invalid(`${name} is expected to be ${config.type}.`);
      if (!(config.type in content) || Object.keys(content).length !== 1)
        throw invalid(`${name} is expected to be ${config.type}.`);
      check(schema, content[config.type], `body.properties.${name}.${config.type}`);
      if (config.type === 'status') {
        const status = content.status as { name?: string } | null;
        if (status?.name && !config.options?.includes(status.name))
          throw invalid(`Invalid status option. Status option "${status.name}" does not exist.`);
      }
      for (const each of config.type === 'relation' ? (content.relation as { id: string }[]) : []) {
        if (pageOf(each.id).dataSourceId !== config.dataSourceId)
          throw invalid(`Page with ID ${each.id} is not in the related data source.`);
      }
    }
    return given;
  };

  const blockCount = (given: readonly NewBlock[]): number =>
    given.reduce((sum, { children }) => sum + 1 + blockCount(children), 0);

  const make = ({ type, value, children }: NewBlock, parentId: string, by: string): Block => {
    if (/^heading/.test(type) && children.length > 0 && value.is_toggleable !== true)
      throw invalid(`${type} with children must be toggleable`);
    if (value.file_upload) useUpload((value.file_upload as { id: string }).id);
    const synced = value.synced_from as { block_id: string } | null | undefined;
    if (synced) blockOf(synced.block_id);
    const block: Block = {
      id: randomUUID(),
      type,
      value,
      parentId,
      createdBy: by,
      children: [],
      inTrash: false,
    };
    blocks.set(block.id, block);
    for (const child of children) place(type, value, child);
    block.children = children.map((child) => make(child, block.id, by));
    return block;
  };
  /** Rows belong into tables, columns into column lists, and nowhere else. */
  const place = (parentType: string, parent: Json, { type, value }: NewBlock) => {
    if ((type === 'table_row') !== (parentType === 'table'))
      throw invalid(`${type} cannot be a child of ${parentType}`);
    if ((type === 'column') !== (parentType === 'column_list'))
      throw invalid(`${type} cannot be a child of ${parentType}`);
    if (parentType === 'table' && (value.cells as unknown[]).length !== parent.table_width)
      throw invalid('Number of cells in table row must match the table width of the parent table');
  };
  const useUpload = (id: string) => {
    const upload = uploads.get(norm(id));
    if (upload?.status !== 'uploaded') throw invalid(`File upload ${id} is not uploaded.`);
  };

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
    created_time: minute(now()),
    last_edited_time: minute(now()),
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
    created_time: minute(now()),
    last_edited_time: minute(now()),
    created_by: userObject(bot),
    last_edited_by: userObject(bot),
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

  const propertyFilter = z.union([
    z.strictObject({ property: z.string(), title: z.strictObject({ equals: z.string().max(2_000) }) }),
    z.strictObject({ property: z.string(), title: z.strictObject({ starts_with: z.string().max(2_000) }) }),
    z.strictObject({ property: z.string(), rich_text: z.strictObject({ equals: z.string().max(2_000) }) }),
  ]);
  const timeFilter = z.strictObject({
    timestamp: z.literal('created_time'),
    created_time: z.strictObject({ on_or_after: z.iso.datetime() }),
  });
  const oneFilter = z.union([propertyFilter, timeFilter]);
  const filterSchema = z.union([oneFilter, z.strictObject({ and: z.array(oneFilter).max(100) })]);
  const holds = (page: Page, filter: z.infer<typeof filterSchema>): boolean => {
    if ('and' in filter) return filter.and.every((each) => holds(page, each));
    if ('timestamp' in filter)
      return Date.parse(minute(page.createdAt)) >= Date.parse(filter.created_time.on_or_after);
    const type = 'title' in filter ? 'title' : 'rich_text';
    const config = sources.get(page.dataSourceId)?.properties[filter.property];
    if (config?.type !== type) throw invalid(`Could not find property with name or id: ${filter.property}`);
    const text = plain((page.properties[filter.property] as Json | undefined)?.[type]);
    const wanted = ('title' in filter ? filter.title : filter.rich_text) as {
      equals?: string;
      starts_with?: string;
    };
    return wanted.equals === undefined ? text.startsWith(wanted.starts_with ?? '') : text === wanted.equals;
  };

  type Asked = {
    readonly body: unknown;
    readonly query: URLSearchParams;
    readonly raw: Buffer;
    readonly contentType: string;
  };
  const paging = (query: URLSearchParams) => ({
    start: query.get('start_cursor'),
    ...(query.has('page_size') && { size: Number(query.get('page_size')) }),
  });
  const bodyPaging = { start_cursor: z.string().optional(), page_size: z.int().optional() };

  const live = (children: readonly Block[]) => children.filter(({ inTrash }) => !inTrash);
  const liveTree = (children: readonly Block[]): Outlined[] =>
    live(children).map(({ type, value, children: inner }) => ({ type, value, children: liveTree(inner) }));

  const append = (
    parent: Page | Block,
    children: readonly NewBlock[],
    at: z.infer<typeof positionSchema> | undefined,
    by: string,
  ): Block[] => {
    const isPage = 'dataSourceId' in parent;
    if (parent.inTrash)
      throw invalid("Can't edit block that is archived. You must unarchive the block before editing.");
    if (!isPage) {
      if (!CAN_HAVE_CHILDREN.has(parent.type))
        throw invalid(`Block type ${parent.type} does not support children.`);
      if (/^heading/.test(parent.type) && parent.value.is_toggleable !== true)
        throw invalid('This heading cannot have children.');
      if (parent.type === 'synced_block' && parent.value.synced_from)
        throw invalid('A synced block copy cannot be edited.');
    }
    for (const child of children) place(isPage ? 'page' : parent.type, isPage ? {} : parent.value, child);
    if (blockCount(children) > MAX_BLOCKS)
      throw invalid('body.children should have at most 1000 block elements');
    let index = parent.children.length;
    if (at?.type === 'start') index = 0;
    if (at?.type === 'after_block') {
      const after = norm(at.after_block.id);
      index = parent.children.findIndex((each) => each.id === after && !each.inTrash) + 1;
      if (index === 0) throw invalid(`Block ${at.after_block.id} is not a child of the parent.`);
    }
    const made = children.map((child) => make(child, parent.id, by));
    parent.children.splice(index, 0, ...made);
    return made;
  };

  const routes: readonly [string, RegExp, (ids: string[], asked: Asked) => Json][] = [
    [
      'GET',
      /^\/v1\/users\/me$/,
      () => ({ object: 'user', id: bot, type: 'bot', name: 'Lessons', avatar_url: null, bot: {} }),
    ],
    [
      'GET',
      /^\/v1\/users$/,
      (_, { query }) =>
        list(
          'user',
          [...people].map(([id, name]) => ({
            object: 'user',
            id,
            type: 'person',
            name,
            avatar_url: null,
            person: {},
          })),
          paging(query),
        ),
    ],
    [
      'GET',
      /^\/v1\/databases\/([^/]+)$/,
      ([id = '']) => {
        const found = databases.get(norm(id));
        if (!found?.isShared) throw missing('database', id);
        return {
          object: 'database',
          id: found.id,
          title: expandRuns([{ text: { content: found.name } }]),
          description: [],
          parent: { type: 'workspace', workspace: true },
          is_inline: false,
          in_trash: false,
          archived: false,
          is_locked: false,
          created_time: minute(now()),
          last_edited_time: minute(now()),
          data_sources: found.sources.map((source) => ({ id: source.id, name: source.name })),
          icon: null,
          cover: null,
          url: `https://www.notion.example/${found.id}`,
          public_url: null,
        };
      },
    ],
    ['GET', /^\/v1\/data_sources\/([^/]+)$/, ([id = '']) => sourceObject(sourceOf(id))],
    [
      'POST',
      /^\/v1\/data_sources\/([^/]+)\/query$/,
      ([id = ''], { body }) => {
        const source = sourceOf(id);
        const asked = check(
          z.strictObject({
            filter: filterSchema.optional(),
            sorts: z
              .array(
                z.strictObject({
                  timestamp: z.literal('created_time'),
                  direction: z.enum(['ascending', 'descending']),
                }),
              )
              .optional(),
            ...bodyPaging,
          }),
          body ?? {},
        );
        const { filter, sorts } = asked;
        if (filter) {
          for (const each of 'and' in filter ? filter.and : [filter])
            if ('property' in each && !source.properties[each.property])
              throw invalid(`Could not find property with name or id: ${each.property}`);
        }
        const found = [...pages.values()]
          .filter((page) => page.dataSourceId === source.id && !page.inTrash)
          .filter((page) => !filter || holds(page, filter));
        if (sorts?.[0]?.direction === 'descending') found.reverse();
        return list('page_or_data_source', found.map(pageObject), {
          start: asked.start_cursor ?? null,
          ...(asked.page_size !== undefined && { size: asked.page_size }),
        });
      },
    ],
    [
      'POST',
      /^\/v1\/search$/,
      (_, { body }) => {
        const asked = check(
          z.strictObject({
            query: z.string().optional(),
            filter: z
              .strictObject({ property: z.literal('object'), value: z.enum(['page', 'data_source']) })
              .optional(),
            ...bodyPaging,
          }),
          body ?? {},
        );
        const words = (asked.query ?? '').toLowerCase();
        const found = [...sources.values()]
          .filter((source) => isShared(source) && source.name.toLowerCase().includes(words))
          .map(sourceObject);
        return list('page_or_data_source', asked.filter?.value === 'page' ? [] : found, {
          start: asked.start_cursor ?? null,
          ...(asked.page_size !== undefined && { size: asked.page_size }),
        });
      },
    ],
    [
      'POST',
      /^\/v1\/pages$/,
      (_, { body }) => {
        const asked = check(
          z.strictObject({
            parent: dataSourceParent,
            properties: z.unknown(),
            icon: icon.nullable().optional(),
            cover: cover.nullable().optional(),
            children: z.unknown().optional(),
          }),
          body,
        );
        const source = sourceOf(asked.parent.data_source_id);
        const properties = checkProperties(source, asked.properties);
        const page: Page = {
          id: randomUUID(),
          dataSourceId: source.id,
          properties,
          icon: asked.icon,
          cover: asked.cover,
          createdBy: bot,
          createdAt: now(),
          inTrash: false,
          children: [],
        };
        pages.set(page.id, page);
        try {
          append(page, newBlocks(asked.children ?? []), undefined, bot);
        } catch (error) {
          pages.delete(page.id);
          throw error;
        }
        return pageObject(page);
      },
    ],
    ['GET', /^\/v1\/pages\/([^/]+)$/, ([id = '']) => pageObject(pageOf(id))],
    [
      'PATCH',
      /^\/v1\/pages\/([^/]+)$/,
      ([id = ''], { body }) => {
        const page = pageOf(id);
        const asked = check(
          z.strictObject({
            properties: z.unknown().optional(),
            icon: icon.nullable().optional(),
            cover: cover.nullable().optional(),
            in_trash: z.boolean().optional(),
          }),
          body,
        );
        if (page.inTrash && asked.in_trash !== false) throw invalid("Can't edit page that is archived.");
        const source = sourceOf(page.dataSourceId);
        if (asked.properties !== undefined)
          page.properties = { ...page.properties, ...checkProperties(source, asked.properties) };
        if (asked.icon !== undefined) page.icon = asked.icon;
        if (asked.cover !== undefined) page.cover = asked.cover;
        if (asked.in_trash !== undefined) page.inTrash = asked.in_trash;
        return pageObject(page);
      },
    ],
    [
      'POST',
      /^\/v1\/pages\/([^/]+)\/move$/,
      ([id = ''], { body }) => {
        const page = pageOf(id);
        const { parent } = check(z.strictObject({ parent: dataSourceParent }), body);
        page.dataSourceId = sourceOf(parent.data_source_id).id;
        return pageObject(page);
      },
    ],
    ['GET', /^\/v1\/blocks\/([^/]+)$/, ([id = '']) => blockObject(blockOf(id))],
    [
      'PATCH',
      /^\/v1\/blocks\/([^/]+)$/,
      ([id = ''], { body }) => {
        const block = blockOf(id);
        const asked = check(blockUpdate(block.type), body) as Json;
        if (block.inTrash)
          throw invalid("Can't edit block that is archived. You must unarchive the block before editing.");
        const given = asked[block.type] as Json | undefined;
        if (given?.file_upload) useUpload((given.file_upload as { id: string }).id);
        if (block.type === 'table_row') {
          const width = blocks.get(block.parentId)?.value.table_width;
          if ((given?.cells as unknown[] | undefined)?.length !== width)
            throw invalid('Number of cells must match the width');
        }
        if (
          given &&
          'is_toggleable' in given &&
          given.is_toggleable !== (block.value.is_toggleable ?? false) &&
          live(block.children).length > 0
        )
          throw invalid('is_toggleable cannot change while there are children');
        const { external: _, file_upload: __, ...rest } = block.value;
        const replacesFile = given && ('external' in given || 'file_upload' in given);
        block.value = { ...(replacesFile ? rest : block.value), ...given };
        if (asked.in_trash !== undefined) block.inTrash = asked.in_trash as boolean;
        return blockObject(block);
      },
    ],
    [
      'DELETE',
      /^\/v1\/blocks\/([^/]+)$/,
      ([id = '']) => {
        const block = blockOf(id);
        if (block.inTrash)
          throw invalid("Can't edit block that is archived. You must unarchive the block before editing.");
        const siblings = blocks.get(block.parentId);
        if (siblings?.type === 'column' && live(siblings.children).length === 1)
          throw invalid('A column cannot be left without blocks.');
        block.inTrash = true;
        return blockObject(block);
      },
    ],
    [
      'GET',
      /^\/v1\/blocks\/([^/]+)\/children$/,
      ([id = ''], { query }) => {
        const parent = pages.has(norm(id)) ? pageOf(id) : blockOf(id);
        return list('block', live(parent.children).map(blockObject), paging(query));
      },
    ],
    [
      'PATCH',
      /^\/v1\/blocks\/([^/]+)\/children$/,
      ([id = ''], { body }) => {
        const parent = pages.has(norm(id)) ? pageOf(id) : blockOf(id);
        const asked = check(
          z.strictObject({ children: z.array(z.unknown()).min(1), position: positionSchema.optional() }),
          body,
        );
        const made = append(parent, newBlocks(asked.children), asked.position, bot);
        return list('block', made.map(blockObject), {});
      },
    ],
    [
      'POST',
      /^\/v1\/file_uploads$/,
      (_, { body }) => {
        const asked = check(
          z.strictObject({
            mode: z.enum(['single_part', 'multi_part']),
            filename: z.string().min(1).max(900),
            content_type: z.string(),
            number_of_parts: z.int().min(1).max(10_000).optional(),
          }),
          body,
        );
        if ((asked.mode === 'multi_part') !== (asked.number_of_parts !== undefined))
          throw invalid('number_of_parts goes with multi_part');
        const upload = {
          status: 'pending',
          parts: new Map(),
          total: asked.number_of_parts ?? 1,
          filename: asked.filename,
        };
        const id = randomUUID();
        uploads.set(id, upload);
        return { object: 'file_upload', id, status: 'pending', filename: asked.filename };
      },
    ],
    [
      'POST',
      /^\/v1\/file_uploads\/([^/]+)\/send$/,
      ([id = ''], { raw, contentType }) => {
        const upload = uploads.get(norm(id));
        if (!upload) throw missing('file_upload', id);
        if (!/^multipart\/form-data; boundary=/.test(contentType))
          throw invalid('Content-Type should be multipart/form-data');
        if (raw.byteLength > 20 * 1_024 * 1_024 + 1_024) throw invalid('A part is at most 20 MiB');
        const start = raw.indexOf('\r\n\r\n') + 4;
        const boundary = contentType.slice(contentType.indexOf('boundary=') + 9);
        const part =
          /name="part_number"\r\n\r\n(\d+)/.exec(raw.subarray(-400).toString('latin1'))?.[1] ?? '1';
        if (Number(part) > upload.total) throw invalid('part_number is too large');
        upload.parts.set(Number(part), raw.subarray(start, raw.indexOf(`\r\n--${boundary}`, start)));
        if (upload.total === 1) upload.status = 'uploaded';
        return { object: 'file_upload', id, status: upload.status };
      },
    ],
    [
      'POST',
      /^\/v1\/file_uploads\/([^/]+)\/complete$/,
      ([id = '']) => {
        const upload = uploads.get(norm(id));
        if (!upload) throw missing('file_upload', id);
        if (upload.parts.size !== upload.total) throw invalid('Not all parts have been sent.');
        upload.status = 'uploaded';
        return { object: 'file_upload', id, status: upload.status };
      },
    ],
  ];

  const work = (seen: SeenRequest, request: IncomingMessage, url: URL, raw: Buffer): Json => {
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const caller = tokens.get(given);
    if (caller === undefined) throw new Refusal(401, 'unauthorized', 'API token is invalid.');
    bot = caller; // a request is worked on in one go
    const version = request.headers['notion-version'];
    if (!version) throw new Refusal(400, 'missing_version', 'Notion-Version header should be defined.');
    if (!VERSIONS.includes(String(version)))
      throw invalid(`Notion-Version header failed validation: ${version}`);
    const contentType = request.headers['content-type'] ?? '';
    let body: unknown = null;
    if (raw.byteLength > 0 && !contentType.startsWith('multipart/')) {
      if (raw.byteLength > MAX_BODY_BYTES) throw invalid('The request body is too large.');
      if (!contentType.startsWith('application/json'))
        throw invalid('Content-Type should be application/json');
      try {
        body = JSON.parse(raw.toString());
      } catch {
        throw new Refusal(400, 'invalid_json', 'Error parsing JSON body.');
      }
      Object.assign(seen, { body });
    }
    let isPathKnown = false;
    for (const [method, pattern, handle] of routes) {
      const match = pattern.exec(url.pathname);
      if (!match) continue;
      isPathKnown = true;
      if (method === request.method)
        return handle(match.slice(1), { body, query: url.searchParams, raw, contentType });
    }
    throw new Refusal(400, 'invalid_request_url', isPathKnown ? 'Invalid method.' : 'Invalid request URL.');
  };

  const answer = (
    response: ServerResponse,
    seen: SeenRequest,
    status: number,
    body: Json,
    headers: Record<string, string> = {},
  ) => {
    seen.status = status;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ ...body, request_id: randomUUID() }));
  };

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://notion');
    const seen: SeenRequest = { method: request.method ?? '', path: url.pathname, body: null, status: 0 };
    const index = requests.push(seen) - 1;
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part as Buffer);
    } catch {
      return; // the caller has hung up
    }
    const found = faults.find((each) => each.times > 0 && each.matches(seen, index));
    if (found) found.times -= 1;
    const fault = found?.fault;
    if (fault?.kind === 'slow') await delay(fault.ms);
    const losesAll = fault && fault.kind !== 'slow' && !fault.lose;
    try {
      const result = losesAll ? {} : work(seen, request, url, Buffer.concat(parts));
      listeners.get(index)?.();
      listeners.delete(index);
      if (fault?.kind === 'reset') return void request.socket.destroy();
      if (fault?.kind === 'status') {
        const { status, retryAfter } = fault;
        const headers: Record<string, string> =
          retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
        const code = CODES[status] ?? 'internal_server_error';
        return answer(
          response,
          seen,
          status,
          { object: 'error', status, code, message: `as told: ${code}` },
          headers,
        );
      }
      answer(response, seen, 200, result);
    } catch (error) {
      const { status, code, message } =
        error instanceof Refusal ? error : new Refusal(500, 'internal_server_error', String(error));
      answer(response, seen, status, { object: 'error', status, code, message });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    /** Another integration that everything is shared with. */
    givenToken: () => {
      const other = `ntn_${randomUUID().replaceAll('-', '')}`;
      tokens.set(other, randomUUID());
      return other;
    },
    /** Every request, in order. */
    requests,
    refused: () => requests.filter(({ status }) => status >= 400),
    /** What goes wrong with the next requests that match; all of them without a word. */
    fail: (
      fault: Fault,
      { method, path, times = 1 }: { method?: string; path?: RegExp; times?: number } = {},
    ) =>
      void faults.push({
        fault,
        times,
        matches: (seen) => (!method || seen.method === method) && (!path || path.test(seen.path)),
      }),
    /** What goes wrong with the nth request from now, counted from 0. */
    failAt: (nth: number, fault: Fault) => {
      const at = requests.length + nth;
      faults.push({ fault, times: 1, matches: (_, index) => index === at });
    },
    /** Calls back when the nth request from now, counted from 0, has been worked on and is about to be answered. */
    onRequest: (nth: number, listener: () => void) => void listeners.set(requests.length + nth, listener),
    clearFaults: () => void faults.splice(0),
    revoke: (given: string) => void tokens.delete(given),
    setNow: (clock: () => Date) => {
      now = clock;
    },
    /** A database of one data source, or of several by name. */
    givenDatabase: (
      name: string,
      properties: Record<string, PropertyConfig>,
      sourceNames: readonly string[] = [name],
    ) => {
      const database: Database = { id: randomUUID(), name, sources: [], isShared: true };
      for (const each of sourceNames) {
        const source = { id: randomUUID(), name: each, databaseId: database.id, properties };
        sources.set(source.id, source);
        database.sources.push(source);
      }
      databases.set(database.id, database);
      return {
        id: database.id,
        sourceId: database.sources[0]?.id ?? '',
        sourceIds: database.sources.map(({ id }) => id),
      };
    },
    unshare: (databaseId: string) => {
      const database = databases.get(databaseId);
      if (database) database.isShared = false;
    },
    setSchema: (sourceId: string, properties: Record<string, PropertyConfig>) => {
      const source = sources.get(sourceId);
      if (source) source.properties = properties;
    },
    setProperty: (pageId: string, name: string, value: Json) => {
      const page = pageOf(pageId);
      page.properties = { ...page.properties, [name]: value };
    },
    givenPerson: (name: string) => {
      const id = randomUUID();
      people.set(id, name);
      return id;
    },
    /** A page somebody made by hand. */
    givenPage: (sourceId: string, properties: Json, by = randomUUID()) => {
      const page: Page = {
        id: randomUUID(),
        dataSourceId: sourceId,
        properties,
        icon: null,
        cover: null,
        createdBy: by,
        createdAt: now(),
        inTrash: false,
        children: [],
      };
      pages.set(page.id, page);
      return page.id;
    },
    /** A block somebody put on a page by hand, after another one. */
    givenBlock: (pageId: string, given: Json, afterId: string | null, by = randomUUID()) => {
      const page = pageOf(pageId);
      const at =
        afterId === null
          ? { type: 'start' as const }
          : { type: 'after_block' as const, after_block: { id: afterId } };
      return append(page, newBlocks([given]), at, by)[0]?.id ?? '';
    },
    trash: (id: string) => {
      const found = pages.get(id) ?? blocks.get(id);
      if (found) found.inTrash = true;
    },
    livePages: () => [...pages.values()].filter(({ inTrash }) => !inTrash).map(pageObject),
    page: (id: string) => pageObject(pageOf(id)) as Json & { properties: Record<string, Json>; parent: Json },
    blocksOf: (id: string) =>
      live((pages.get(id) ?? blockOf(id)).children).map(blockObject) as (Json & {
        id: string;
        type: string;
      })[],
    /** The page as lines: type, colour, text; children indented. */
    outline: (pageId: string) => outlineOf(liveTree(pageOf(pageId).children)),
    uploaded: () =>
      [...uploads.values()].map(({ status, parts, filename }) => ({
        status,
        filename,
        bytes: Buffer.concat([...parts].toSorted(([a], [b]) => a - b).map(([, part]) => part)),
      })),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};

export type NotionServer = Awaited<ReturnType<typeof openNotionServer>>;
