import type { Root } from 'mdast';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmFromMarkdown } from 'mdast-util-gfm';
import { gfm } from 'micromark-extension-gfm';
import type { Construct, Extension, State } from 'micromark-util-types';

/** Underscores are gaps to fill in (`She ____ home`), never emphasis: a run of them is taken as plain text first. */
const literalUnderscore: Construct = {
  name: 'literalUnderscore',
  tokenize(effects, ok) {
    const run: State = (code) => {
      if (code === 95) {
        effects.consume(code);
        return run;
      }
      effects.exit('data');
      return ok(code);
    };
    return (code) => {
      effects.enter('data');
      return run(code);
    };
  },
};

/**
 * Lesson Markdown is GitHub's with less: `[Bob]: hello` is text and not a link definition, `---` under a paragraph is a
 * rule and not a heading, and indented text is text, since teachers indent what is inside directives. HTML tags are
 * found one by one and never swallow the Markdown between them.
 */
const SYNTAX: Extension[] = [
  {
    disable: {
      null: [
        'codeIndented',
        'definition',
        'htmlFlow',
        'setextUnderline',
        'gfmFootnoteCall',
        'gfmFootnoteDefinition',
        'gfmPotentialFootnoteCall',
      ],
    },
    text: { 95: literalUnderscore },
  },
  gfm(),
];

const INLINE_ONLY: Extension = {
  disable: {
    null: ['blockQuote', 'codeFenced', 'headingAtx', 'list', 'table', 'thematicBreak'],
  },
};

/** Without the transforms, whose patterns over whole texts take quadratic time on made-up input. */
const TREE = gfmFromMarkdown().map(({ transforms: _, ...handlers }) => handlers);

export const parseBlocks = (text: string): Root =>
  fromMarkdown(text, { extensions: SYNTAX, mdastExtensions: TREE });

/** For one line of running text: `1.` or `#` at its start mean nothing. */
export const parseLine = (text: string): Root =>
  fromMarkdown(text, { extensions: [...SYNTAX, INLINE_ONLY], mdastExtensions: TREE });
