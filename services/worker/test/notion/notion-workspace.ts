import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Outlined } from './notion-outline.ts';
import { check, invalid, missing } from './notion-refusal.ts';
import {
  CAN_HAVE_CHILDREN,
  id as idSchema,
  MAX_BLOCKS,
  type NewBlock,
  PROPERTY_VALUES,
  type position,
} from './notion-rules.ts';

export type Json = Record<string, unknown>;

export type Block = {
  readonly id: string;
  readonly type: string;
  value: Json;
  readonly parentId: string;
  readonly createdBy: string;
  children: Block[];
  inTrash: boolean;
};

export type Page = {
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

export type DataSource = {
  readonly id: string;
  readonly name: string;
  readonly databaseId: string;
  properties: Record<string, PropertyConfig>;
};

export type Database = {
  readonly id: string;
  readonly name: string;
  readonly sources: DataSource[];
  isShared: boolean;
};

/** What a workspace holds, and the rules that need all of it: who sees what, which block belongs where. */
export const openWorkspace = () => {
  const people = new Map<string, string>();
  const databases = new Map<string, Database>();
  const sources = new Map<string, DataSource>();
  const pages = new Map<string, Page>();
  const blocks = new Map<string, Block>();
  const uploads = new Map<
    string,
    { status: string; parts: Map<number, Buffer>; total: number; filename: string }
  >();
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
  const live = (children: readonly Block[]) => children.filter(({ inTrash }) => !inTrash);
  const liveTree = (children: readonly Block[]): Outlined[] =>
    live(children).map(({ type, value, children: inner }) => ({ type, value, children: liveTree(inner) }));

  const append = (
    parent: Page | Block,
    children: readonly NewBlock[],
    at: z.infer<typeof position> | undefined,
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

  return {
    /** Who asks. */
    bot: '',
    now: () => new Date(),
    people,
    databases,
    sources,
    pages,
    blocks,
    uploads,
    norm,
    isShared,
    sourceOf,
    pageOf,
    blockOf,
    checkProperties,
    useUpload,
    live,
    liveTree,
    append,
  };
};

export type Workspace = ReturnType<typeof openWorkspace>;
