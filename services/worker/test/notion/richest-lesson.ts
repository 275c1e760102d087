import { parcelWithText } from '../../src/lesson/finding-examples.ts';

/** Just over Notion's limit of one piece of text, in words, so that a cut in the middle of one would show. */
export const LONG_TEXT = Array.from({ length: 420 }, (_, index) => `word${index}`).join(' ');
export const EXERCISES = 320;

const exercises = Array.from({ length: EXERCISES }, (_, index) => `${index + 1}. Sentence ____ ${index + 1}`);

/** Everything the lesson language has, in section 4 of a good lesson, and more blocks than three requests hold. */
export const richestLesson = (syncedBlockId: string): string =>
  parcelWithText(`# One
#### Four
##### Five
A **bold *both*** and ~~gone~~ \`code\` [link](https://example.org/a "t") ____ __kept__
goes on.<br>Break. <!-- dropped -->
<!-- dropped
as well -->
${LONG_TEXT}

- a
  - b
    - c
      - d
        - e

          of e
- [ ] open
- [x] done
1) one

   inside one
2) two

> Quoted
> on.
>
> > Deeper

> [!TIP]
> Look
> - here

| a | b |
|---|---|
| **1** | 2 |
| 3 | |

| bare | row |
| x | y |

![A *cat*](https://example.org/cat.png)

Words ![in line](https://example.org/dog.png) end

~~~ts
let a;

  let b;
~~~
---
:::callout 💡
First **line**

- second
:::
:::column-list
:::column
Left

- l1
  - l2
    - l3
:::
:::column
| t | u |
|---|---|
| 1 | 2 |
:::
:::
:::synced-block
Shared
:::
:::synced-block ${syncedBlockId}
:::
:::toc
:::video https://example.org/film.mp4
:::audio https://example.org/song.mp3
:::toggle-h2 Heading *toggle*
### Plain inside
:::
:::toggle-heading Outer
### Coloured
:::toggle-heading Inner
:::callout 🔑
Deep

> Deepest
:::
:::
:::
${exercises.join('\n')}
`);

/** Section 4 of its page, block by block. */
export const RICHEST_OUTLINE = (syncedBlockId: string): string[] => [
  'heading_1: One',
  'heading_4: Four',
  'paragraph: **Five**',
  'paragraph: A **bold *****both*** and ~~gone~~ `code` [link](https://example.org/a) ____ __kept__ goes on.\nBreak.',
  `paragraph: ${LONG_TEXT}`,
  'bulleted_list_item: a',
  '  bulleted_list_item: b',
  '    bulleted_list_item: c',
  '      bulleted_list_item: d',
  '        bulleted_list_item: e',
  '          paragraph: of e',
  'to_do(open): open',
  'to_do(done): done',
  'numbered_list_item: one',
  '  paragraph: inside one',
  'numbered_list_item: two',
  'quote: Quoted on.',
  '  quote: Deeper',
  'callout(💡): Look',
  '  bulleted_list_item: here',
  'table(2 wide, header)',
  '  table_row: a | b',
  '  table_row: **1** | 2',
  '  table_row: 3 | ',
  'table(2 wide)',
  '  table_row: bare | row',
  '  table_row: x | y',
  'image(https://example.org/cat.png): A cat',
  'paragraph: Words [in line](https://example.org/dog.png) end',
  'code(typescript): let a;\n\n  let b;',
  'divider',
  'callout(💡): First **line**',
  '  bulleted_list_item: second',
  'column_list',
  '  column',
  '    paragraph: Left',
  '    bulleted_list_item: l1',
  '      bulleted_list_item: l2',
  '        bulleted_list_item: l3',
  '  column',
  '    table(2 wide, header)',
  '      table_row: t | u',
  '      table_row: 1 | 2',
  'synced_block',
  '  paragraph: Shared',
  `synced_block(${syncedBlockId})`,
  'table_of_contents',
  'video(https://example.org/film.mp4)',
  'audio(https://example.org/song.mp3)',
  'heading_2(yellow_background toggle): Heading *toggle*',
  '  heading_3: Plain inside',
  'toggle: Outer',
  '  heading_3(purple_background): Coloured',
  '  toggle: Inner',
  '    callout(🔑): Deep',
  '      quote: Deepest',
  ...exercises.map((line) => `numbered_list_item: ${line.replace(/^\d+\. /, '')}`),
];
