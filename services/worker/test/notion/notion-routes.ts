import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { expandRuns, minute, objectsOf, plain } from './notion-objects.ts';
import { check, invalid, missing, newBlocks } from './notion-refusal.ts';
import { blockUpdate, cover, dataSourceParent, icon, position as positionSchema } from './notion-rules.ts';
import type { Json, Page, Workspace } from './notion-workspace.ts';

export type Asked = {
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

/** Method, path, and what it does. */
export type Route = readonly [string, RegExp, (ids: string[], asked: Asked) => Json];

export const routesOf = (space: Workspace): readonly Route[] => {
  const { people, databases, sources, pages, blocks, uploads, norm, isShared } = space;
  const { sourceOf, pageOf, blockOf, checkProperties, useUpload, live, append } = space;
  const { pageObject, blockObject, sourceObject, list } = objectsOf(space);

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

  return [
    [
      'GET',
      /^\/v1\/users\/me$/,
      () => ({ object: 'user', id: space.bot, type: 'bot', name: 'Lessons', avatar_url: null, bot: {} }),
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
          created_time: minute(space.now()),
          last_edited_time: minute(space.now()),
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
          createdBy: space.bot,
          createdAt: space.now(),
          inTrash: false,
          children: [],
        };
        pages.set(page.id, page);
        try {
          append(page, newBlocks(asked.children ?? []), undefined, space.bot);
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
        const made = append(parent, newBlocks(asked.children), asked.position, space.bot);
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
};
