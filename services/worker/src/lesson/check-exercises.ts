import type { RootContent } from 'mdast';
import { type Block, walk } from './blocks.ts';
import { isHeading, type SectionLines } from './check-sections.ts';
import type { Report } from './findings.ts';
import { textOf } from './markdown.ts';
import { normaliseHeading } from './section-titles.ts';

/** Advice on the exercises of section 5, and the two toggles that every lesson needs. */
export const checkExercises = (
  blocks: readonly Block[],
  sections: SectionLines,
  lastLine: number,
  report: Report,
): void => {
  const practice = countItems(blocks, 'a. controlled practice');
  if (!practice)
    report(
      'PRACTICE_MISSING',
      sections.get(4) ?? lastLine,
      'There is no heading ### A. Controlled Practice. Add it to section 5, with 8 to 10 items.',
    );
  else if (practice.items > 0 && (practice.items < 8 || practice.items > 12))
    report(
      'PRACTICE_COUNT',
      practice.line,
      `Controlled Practice has ${practice.items} items; 8 to 10 work best.`,
    );
  const comprehension = countItems(blocks, 'b. comprehension check');
  if (comprehension?.items === 1)
    report(
      'COMPREHENSION_COUNT',
      comprehension.line,
      'The Comprehension Check has one question; 2 or 3 work best.',
    );

  const toggles = [...walk(blocks)].filter((block) => block.type === 'toggle');
  for (const { label, levels, section } of REQUIRED_TOGGLES)
    if (
      !toggles.some(
        (toggle) =>
          levels.includes(toggle.level) && normaliseHeading(toggle.label).startsWith(normaliseHeading(label)),
      )
    )
      report(
        'TOGGLE_MISSING',
        sections.get(section) ?? lastLine,
        `The toggle ${label} is missing. Open it with :::toggle-heading ${label} and close it with :::.`,
      );
};

const REQUIRED_TOGGLES: readonly {
  readonly label: string;
  readonly levels: readonly (number | null)[];
  readonly section: number;
}[] = [
  { label: 'Answer Key', levels: [null, 2], section: 7 },
  { label: "Teacher's Follow-up Plan", levels: [null, 2, 3], section: 8 },
];

/** Items between the heading and the next heading or toggle; null without the heading. */
const countItems = (blocks: readonly Block[], heading: string) => {
  let found: { readonly line: number; items: number } | null = null;
  for (const step of inOrder(blocks)) {
    const isEnd =
      step === 'toggle' || step.type === 'thematicBreak' || (step.type === 'heading' && step.depth <= 3);
    if (found && isEnd) return found;
    if (found && step !== 'toggle') found.items += itemsOf(step);
    else if (step !== 'toggle' && step.type === 'heading' && isHeading(textOf(step), heading))
      found = { line: step.position?.start.line ?? 1, items: 0 };
  }
  return found;
};

const itemsOf = (node: RootContent): number => {
  if (node.type === 'list') return node.children.length;
  return node.type === 'paragraph' && /^(?:\d+\)|[-*])/.test(textOf(node)) ? 1 : 0;
};

function* inOrder(blocks: readonly Block[]): Generator<RootContent | 'toggle'> {
  for (const block of walk(blocks)) {
    if (block.type === 'toggle') yield 'toggle';
    if (block.type === 'markdown') yield* block.nodes;
  }
}
