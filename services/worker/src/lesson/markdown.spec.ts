import type { Nodes, RootContent } from 'mdast';
import { describe, expect, it } from 'vitest';
import type { FindingCode } from './findings.ts';
import { parseInline, parseMarkdown, textOf } from './markdown.ts';

const parse = (text: string) => {
  const codes: FindingCode[] = [];
  const lines = text.split('\n').map((line, index) => ({ text: line, number: index + 11 }));
  return { nodes: parseMarkdown(lines, (code) => codes.push(code)), codes };
};
const outline = (node: Nodes): string =>
  'children' in node ? `${node.type}(${node.children.map(outline).join(' ')})` : node.type;
const shape = (text: string) => parse(text).nodes.map(outline).join(' ');

describe('the Markdown of lessons', () => {
  it.each([
    ['She ____ home, __is__ _it_.', 'paragraph(text)'],
    ['**____** and *it*', 'paragraph(strong(text) text emphasis(text))'],
    ['______', 'paragraph(text)'],
    ['text\n---\nmore', 'paragraph(text) thematicBreak paragraph(text)'],
    ['[Bob]: hello', 'paragraph(text)'],
    ['      indented', 'paragraph(text)'],
    ['1) a\n2) b', 'list(listItem(paragraph(text)) listItem(paragraph(text)))'],
    ['a<br>b <!-- c -->', 'paragraph(text break text)'],
    ['~~no~~ [^1]', 'paragraph(delete(text) text)'],
  ])('%j is %s', (text, expected) => {
    expect(shape(text)).toBe(expected);
  });

  it('keeps the words and gaps as they are', () => {
    expect(parse('She ____ home, __is__ _it_.').nodes.map(textOf)).toEqual(['She ____ home, __is__ _it_.']);
    expect(parse('________').nodes.map(textOf)).toEqual(['________']);
  });

  it('has task lists', () => {
    expect(parse('- [ ] a\n- [x] b').nodes).toMatchObject([
      { children: [{ checked: false }, { checked: true }] },
    ]);
  });

  it('has no raw HTML, only the words between its tags', () => {
    const { nodes, codes } = parse('<div onclick="x()">\nHello **there**\n</div>');
    expect(nodes.map(outline)).toEqual(['paragraph(text strong(text) text)']);
    expect(codes).toContain('HTML_IGNORED');
  });

  it('knows the lines of the file', () => {
    const heading = parse('text\n\n## Head').nodes[1];
    expect(heading?.position?.start.line).toBe(13);
  });

  it('reads a pipe table without separator row', () => {
    const { nodes, codes } = parse('| a | **b** |\n| c | d |');
    expect(nodes).toMatchObject([{ type: 'table', data: { headerless: true } }]);
    const table = nodes[0] as Extract<RootContent, { type: 'table' }>;
    expect(table.children.map((row) => [row.position?.start.line, textOf(row)])).toEqual([
      [11, 'ab'],
      [12, 'cd'],
    ]);
    expect(codes).toEqual([]);
  });

  it('marks notes', () => {
    expect(parse('> [!TIP]\n> Read twice.').nodes).toMatchObject([
      { type: 'blockquote', data: { alert: 'tip' }, children: [{ children: [{ value: 'Read twice.' }] }] },
    ]);
  });
});

describe('one line of running text', () => {
  it.each(['# no heading', '1. no list', '> no quote', '- no item', '| no | table |'])(
    '%j is text',
    (text) => {
      expect(parseInline(text)).toMatchObject([{ type: 'text', value: text }]);
    },
  );

  it('may be emphasised', () => {
    expect(parseInline('so *very* good').map(({ type }) => type)).toEqual(['text', 'emphasis', 'text']);
  });
});
