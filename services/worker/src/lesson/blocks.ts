import type { RootContent } from 'mdast';

/** The body of a lesson: directives as a tree, and the Markdown between them as mdast. */
export type Block =
  | { readonly type: 'markdown'; readonly line: number; readonly nodes: readonly RootContent[] }
  | {
      /** Lay a dialogue out by the turns of `lesson.studyText`, a monologue by these children. */
      readonly type: 'study-text';
      readonly line: number;
      readonly label?: string;
      /** False for a second study text: it is shown, and not spoken. */
      readonly spoken: boolean;
      readonly children: readonly Block[];
    }
  | {
      readonly type: 'toggle';
      readonly line: number;
      /** Level of a toggle that is also a heading. */
      readonly level: 1 | 2 | 3 | null;
      readonly label: string;
      readonly children: readonly Block[];
    }
  | {
      readonly type: 'callout';
      readonly line: number;
      readonly icon: string | null;
      readonly children: readonly Block[];
    }
  | { readonly type: 'columns'; readonly line: number; readonly columns: readonly Column[] }
  | {
      readonly type: 'synced';
      readonly line: number;
      /** The Notion block this one mirrors; null for an original. */
      readonly id: string | null;
      readonly children: readonly Block[];
    }
  | { readonly type: 'toc'; readonly line: number }
  | { readonly type: 'audio' | 'video'; readonly line: number; readonly url: string };

export type Column = { readonly line: number; readonly children: readonly Block[] };

export const childrenOf = (block: Block): readonly Block[] => {
  if (block.type === 'columns') return block.columns.flatMap(({ children }) => children);
  return 'children' in block ? block.children : [];
};

/** Every block in the order of the file, parents first. */
export function* walk(blocks: readonly Block[]): Generator<Block> {
  for (const block of blocks) {
    yield block;
    yield* walk(childrenOf(block));
  }
}
