import type { Block } from './blocks.ts';
import { quote, type Report } from './findings.ts';
import { textOf } from './markdown.ts';
import { normaliseHeading, SECTION_TITLES, sectionOf } from './section-titles.ts';

type Heading = { readonly text: string; readonly line: number; readonly section: number };

/** Where sections begin: index of the section → line. */
export type SectionLines = ReadonlyMap<number, number>;

/** Compares the top-level H2 headings with the nine sections, and says what is missing, extra or out of order. */
export const checkSections = (blocks: readonly Block[], lastLine: number, report: Report): SectionLines => {
  const headings = topHeadings(blocks);
  const lines = new Map<number, number>();
  for (const { section, line } of headings) if (section >= 0 && !lines.has(section)) lines.set(section, line);

  const missing = new Set(SECTION_TITLES.keys().filter((section) => !lines.has(section)));
  const inOrder = longestRise(headings.filter(({ section, line }) => lines.get(section) === line));
  const extra: Heading[] = [];

  for (const heading of headings) {
    const { section, line, text } = heading;
    if (section >= 0 && lines.get(section) === line) {
      if (!inOrder.has(section))
        report('SECTION_ORDER', line, `This section is out of order. ${placeOf(section)}`);
      continue;
    }
    const meant = section < 0 ? Number(/^\D{0,8}([1-9])\./.exec(text)?.[1] ?? 0) - 1 : -1;
    if (missing.delete(meant))
      report(
        'SECTION_ORDER',
        line,
        `This heading should be ${quote(SECTION_TITLES[meant] ?? '')}, not ${quote(text)}.`,
      );
    else extra.push(heading);
  }
  for (const { line, text } of extra)
    report(
      'SECTION_ORDER',
      line,
      `${quote(text)} is not one of the nine sections, or is there twice. Remove it, or make it a smaller heading (###).`,
    );
  for (const section of missing) {
    const next = headings.find((heading) => heading.section > section);
    report(
      'SECTION_ORDER',
      next?.line ?? lastLine,
      `The section ${quote(SECTION_TITLES[section] ?? '')} is missing. ${placeOf(section)}`,
    );
  }
  if (headings.length !== SECTION_TITLES.length)
    report(
      'SECTION_COUNT',
      headings[0]?.line ?? lastLine,
      `A lesson has nine sections (headings with ##), and this one has ${headings.length}: ${missing.size} missing, ${extra.length} too many.`,
    );
  return lines;
};

const topHeadings = (blocks: readonly Block[]): Heading[] =>
  blocks.flatMap((block) =>
    block.type === 'markdown'
      ? block.nodes.flatMap((node) => {
          if (node.type !== 'heading' || node.depth !== 2) return [];
          const text = textOf(node);
          return { text, line: node.position?.start.line ?? block.line, section: sectionOf(text) };
        })
      : [],
  );

const placeOf = (section: number): string =>
  section === 0
    ? 'It belongs at the start.'
    : `It belongs after ${quote(SECTION_TITLES[section - 1] ?? '')}.`;

/** The longest row of sections that already stand in order; the others are the ones to move. */
const longestRise = (headings: readonly Heading[]): ReadonlySet<number> => {
  const best: number[][] = [];
  for (const { section } of headings) {
    const before = best.filter((row) => (row.at(-1) ?? -1) < section);
    const longest = before.reduce<number[]>((a, b) => (b.length > a.length ? b : a), []);
    best.push([...longest, section]);
  }
  return new Set(best.reduce<number[]>((a, b) => (b.length > a.length ? b : a), []));
};

/** Whether a heading, decoration apart, is this one and not its answers in the key. */
export const isHeading = (text: string, start: string): boolean => {
  const plain = normaliseHeading(text);
  return plain.startsWith(start) && !plain.endsWith('answers');
};
