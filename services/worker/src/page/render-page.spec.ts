import { describe, expect, it } from 'vitest';
import { parcelWith, parcelWithText, sampleLesson } from '../lesson/finding-examples.ts';
import { type Lesson, parseLesson } from '../lesson/lesson.ts';
import { type PageRequest, renderPage } from './render-page.ts';

const lessonOf = (source: string): Lesson => {
  const { lesson, findings } = parseLesson(source);
  if (!lesson) throw new Error(JSON.stringify(findings));
  return lesson;
};
const page = (source: string, over: Partial<PageRequest> = {}) =>
  renderPage({ lesson: lessonOf(source), generatedAt: new Date('2026-03-01T09:30:00Z'), ...over });
const mainOf = (html: string) => html.slice(html.indexOf('<main'), html.indexOf('</main>'));
/** The page with these lines in section 4, from that heading to the next. */
const toolkit = (text: string, over: Partial<PageRequest> = {}) =>
  /<section aria-labelledby="section-4">([\s\S]*?)<\/section>/.exec(page(parcelWithText(text), over))?.[1] ??
  '';
const tags = (html: string) => [...html.matchAll(/<([a-z0-9]+)[ >]/g)].map(([, tag]) => tag);

const AUDIO = { src: 'data:audio/mpeg;base64,SUQz', durationMs: 83_400 };
const party = sampleLesson('street-party');

describe('the page of a lesson', () => {
  it('is one document in English, with landmarks and one title', () => {
    const html = page(party);
    expect(html).toMatch(/^<!doctype html><html lang="en">/);
    expect(html).toContain('<title>Homework: Planning a Street Party</title>');
    expect(html.match(/<h1/g)).toHaveLength(1);
    for (const tag of ['header', 'main', 'nav', 'footer']) expect(html).toContain(`<${tag}`);
    expect(html).toContain('<a class="skip" href="#lesson">');
    expect(html).toContain('<dt>Student</dt><dd>Mira</dd>');
    expect(html).toContain('🎉');
  });

  it('has a section for each of the nine, and a link to each', () => {
    const html = page(party);
    expect(html.match(/<section aria-labelledby/g)).toHaveLength(9);
    for (let number = 1; number <= 9; number += 1) {
      expect(html).toContain(`href="#section-${number}"`);
      expect(html.match(new RegExp(`id="section-${number}"`, 'g'))).toHaveLength(1);
    }
  });

  it('asks for nothing from elsewhere, and runs nothing', () => {
    const html = page(party, { audio: AUDIO });
    expect(html).not.toMatch(/<script|<iframe|<object|<embed|@import|url\(|\ssrc="https?:/i);
    expect(html).toContain('default-src &#x27;none&#x27;');
  });

  it('is the same each time', () => {
    expect(page(party, { audio: AUDIO })).toBe(page(party, { audio: AUDIO }));
  });

  it('says when it was made', () => {
    expect(page(party)).toContain('<time datetime="2026-03-01T09:30:00.000Z">2026-03-01 at 09:30 UTC</time>');
  });

  it('keeps the answer key and the plan closed', () => {
    const html = mainOf(page(party));
    expect(html.match(/<details>/g)).toHaveLength(2);
    expect(html).not.toContain('<details open');
  });
});

describe('the study text', () => {
  it('shows who says what, each speaker in a colour of their own', () => {
    const html = mainOf(page(party));
    const turns = [...html.matchAll(/class="turn speaker-(\d)"><p class="speaker">(\w+)/g)];
    expect(turns.map(([, colour, name]) => [name, colour])).toEqual([
      ['Teacher', '0'],
      ['Nora', '1'],
      ['Sean', '2'],
      ['Teacher', '0'],
    ]);
    expect(html).toContain('for tables.</p><p>They said yes last year.</p></div>');
  });

  it('stands beside a player that names the voices', () => {
    const html = mainOf(page(party, { audio: AUDIO, cast: [{ speaker: 'nora', voiceName: 'slt' }] }));
    expect(html).toContain('<audio controls preload="metadata" src="data:audio/mpeg;base64,SUQz">');
    expect(html).toContain('<span class="duration">1:23</span>');
    expect(html).toMatch(/<li class="speaker-1"><span class="speaker">nora<\/span><span class="voice">slt/);
  });

  it('has no player without audio', () => {
    expect(page(party)).not.toContain('<audio');
  });

  it('calls people by the name of their profile', () => {
    const html = page(party.replace('id: Nora,', 'id: Nora, display_name: Nora Byrne,'));
    expect(html).toContain('<p class="speaker">Nora Byrne</p>');
  });

  it('keeps words whole around emphasis', () => {
    expect(page(parcelWith(['Ines: Yes,', 'Ines: un*believ*able,']))).toContain('un<em>believ</em>able,');
  });

  it('of one voice is plain paragraphs', () => {
    const html = mainOf(page(sampleLesson('morning-at-the-harbour')));
    expect(html).not.toContain('class="turn');
    expect(html).toContain('<p>Tom opens the harbour gate before sunrise. He likes the quiet.</p>');
  });

  it('of a dialogue keeps what is shown and not spoken where it stands', () => {
    const html = page(parcelWith(['Paul: Of course.', ':::callout 💡\nA hint.\n:::\nPaul: Of course.']));
    expect(html).toMatch(/has not arrived\.[\s\S]*class="callout"[\s\S]*A hint\.[\s\S]*Of course\./);
  });
});

describe('Markdown and directives', () => {
  it.each([
    ['a callout', ':::callout 💡\nLook\n:::', ['div', 'span', 'div', 'p']],
    ['columns', ':::column-list\n:::column\na\n:::\n:::column\nb\n:::\n:::', ['div', 'div', 'p', 'div', 'p']],
    ['a toggle', ':::toggle-heading More\nx\n:::', ['details', 'summary', 'span', 'div', 'p']],
    ['a toggle heading', ':::toggle-h3 More\nx\n:::', ['details', 'summary', 'h3', 'div', 'p']],
    ['a synced block', ':::synced-block\nx\n:::', ['p']],
    ['a film elsewhere', ':::video https://example.org/film', ['p', 'a']],
    ['a sound file', ':::audio https://example.org/a.mp3', ['figure', 'audio', 'figcaption', 'a']],
    ['a note', '> [!TIP]\n> Look', ['div', 'span', 'div', 'p']],
    ['a rule', 'x\n\n---', ['p', 'hr']],
    ['a list with brackets', '1) a\n2) b', ['ol', 'li', 'li']],
    ['code', '~~~js\nlet a;\n~~~', ['pre', 'code']],
    ['other headings', '# a\n\n#### b', ['h2', 'h4']],
  ])('%s', (_what, text, expected) => {
    expect(tags(toolkit(text)).slice(1)).toEqual(expected);
  });

  it('tables have a header for each column, or none', () => {
    expect(toolkit('| a | b |\n|---|---|\n| 1 | 2 |')).toContain('<th scope="col">a</th>');
    const bare = toolkit('\n| a | b |\n| 1 | 2 |');
    expect(bare).not.toMatch(/<thead|<th[ >]/);
    expect(bare.match(/<td/g)).toHaveLength(4);
  });

  it('tasks are boxes with a name', () => {
    expect(toolkit('- [ ] a\n- [x] b')).toMatch(/aria-label="To do"[\s\S]*checked[\s\S]*aria-label="Done"/);
  });

  it('keeps gaps for the eye, and as one word for a screen reader', () => {
    expect(toolkit('She ______ home, __is__ _it_.')).toContain(
      'She <span class="gap" role="img" aria-label="blank">______</span> home, __is__ _it_.',
    );
  });

  it('a table of contents links the sections', () => {
    expect(toolkit(':::toc')).toContain('<a href="#section-9">');
  });
});

describe('the colours of a preset', () => {
  const colours = { h2: 'yellow_background', h3: 'purple', toggleMap: { h2: 'red' } };

  it('are given to headings on the page and in toggles, and to a toggle right after an h2', () => {
    const html = page(party, { colours });
    for (const name of ['h2', 'h3', 'toggle']) {
      expect(html).toContain(`.tint-${name}{`);
      expect(mainOf(html)).toContain(`class="tint-${name}"`);
    }
    expect(toolkit(':::toggle-heading T\n### Inside\n:::')).toContain('<h3 class="tint-h3">');
  });

  it('are not given inside callouts, columns and toggle headings', () => {
    for (const opener of [':::callout 💡', ':::toggle-h2 T', ':::column-list\n:::column'])
      expect(toolkit(`${opener}\n### Inside\n${':::\n'.repeat(opener.includes('list') ? 2 : 1)}`)).toContain(
        '<h3>Inside',
      );
  });

  it.each(['default', 'mauve', 'constructor', 'red}body{display:none'])('%j changes nothing', (name) => {
    expect(page(party, { colours: { h2: name } })).not.toContain('.tint-h2{');
  });
});

describe('what a lesson may try', () => {
  const EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>';

  it('as text in any place stays text', () => {
    const yaml = JSON.stringify(EVIL);
    const source = party
      .replace('"Homework: Planning a Street Party"', yaml)
      .replace('student: Mira', `student: ${yaml}`)
      .replace('level: B2', `level: ${yaml}`)
      .replace('"Suggestions and plans"', yaml)
      .replace('{ id: Nora,', `{ id: Nora, display_name: ${yaml},`)
      .replace(':::study-text', `:::study-text ${EVIL}`)
      .replace('Teacher: We have', `Teacher: ${EVIL} We have`)
      .replace('8. 🔑', `8. ${EVIL} 🔑`)
      .replace('Answer Key\n', `Answer Key ${EVIL}\n`)
      .replace(
        'Use *so*',
        `${EVIL}\n\n\`${EVIL}\`\n\n~~~${EVIL}\n${EVIL}\n~~~\n\n| ${EVIL} |\n|---|\n| ${EVIL} |\n\n:::callout 💡 ${EVIL}\nx\n:::\n:::synced-block ${EVIL}\n:::\nUse *so*`,
      );
    const html = page(source, {
      audio: { src: EVIL, durationMs: Number.NaN },
      cast: [{ speaker: EVIL, voiceName: EVIL }],
      colours: { h2: EVIL },
    });
    expect(html).not.toMatch(/<script|<img/i);
    expect(html.replace(/"[^"]*"/g, '')).not.toMatch(/<[^>]*\son\w+=/i);
  });

  it.each([
    '[x](javascript:alert(1))',
    '[x](JaVaScRiPt:alert(1))',
    '[x](java&#x0A;script:alert(1))',
    '[x](<java\tscript:alert(1)>)',
    '[x](data:text/html;base64,PHNjcmlwdD4=)',
    '[x](vbscript:x)',
    '[x](file:///etc/passwd)',
    '<javascript:alert(1)>',
    '![x](javascript:alert(1))',
    '![x](http://example.org/a.png)',
    '![x](data:image/svg+xml,<svg onload=alert(1)>)',
    '[x](//example.org)',
  ])('%s leads nowhere and loads nothing', (text) => {
    expect(tags(toolkit(text)).filter((tag) => tag === 'a' || tag === 'img')).toEqual([]);
  });

  it('still links the web and mail, and shows images sent safely', () => {
    const html = toolkit(
      '[a](https://example.org/a_b) <ana@example.org> ![A boat](https://example.org/b.png)',
    );
    expect(html).toContain('<a href="https://example.org/a_b" rel="noopener noreferrer">a</a>');
    expect(html).toContain('href="mailto:ana@example.org"');
    expect(html).toContain('<img src="https://example.org/b.png" alt="A boat"');
  });

  it('shows a cover only when it is sent safely', () => {
    const withCover = (url: string) => page(party.replace('icon: 🎉', `icon: 🎉\ncover: ${url}`));
    expect(withCover('https://example.org/c.jpg')).toContain('class="cover" src="https://example.org/c.jpg"');
    expect(withCover('http://example.org/c.jpg')).not.toContain('class="cover"');
  });

  it.each(['javascript:alert(1)', 'data:text/html;base64,PHg+', 'java\nscript:alert(1)', 'file:///a.mp3'])(
    'has no player for %j',
    (src) => {
      expect(page(party, { audio: { src, durationMs: 1 } })).not.toContain('<audio');
    },
  );

  it('is shown without a throw when emphasis is nested as deeply as the parser allows', () => {
    expect(toolkit(`${'*a **b '.repeat(160)}x${'** *'.repeat(160)}`)).toContain('</p>');
  });
});
