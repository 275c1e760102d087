import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { checkLesson } from './check-lesson.ts';

const check = (text: string | Buffer, name = 'lesson.md', type = 'text/markdown') =>
  checkLesson({ name, type, bytes: Buffer.from(text) });
const verdict = (text: string | Buffer, name?: string, type?: string) => {
  const checked = check(text, name, type);
  return checked.ok ? 'kept' : checked.refusal.code;
};

describe('a lesson’s file', () => {
  it.each([
    ['lesson.md', 'lesson.md'],
    ['Урок 3 – été.markdown', 'Урок 3 - été.markdown'],
    ['notes.TXT', 'notes.txt'],
    ['../../etc/passwd.md', 'passwd.md'],
    ['C:\\lessons\\one.md', 'one.md'],
    ['/absolute/path/two.md', 'two.md'],
    ['..md', 'lesson.md'],
    ['.md', 'lesson.md'],
    ['a\0b\r\nc.md', 'a-b-c.md'],
    ['<img src=x onerror=alert(1)>.md', 'img src=x onerror=alert(1).md'],
    ['"; rm -rf ~;".md', 'rm -rf.md'],
    ['%2e%2e%2fpasswd.md', '2e-2e-2fpasswd.md'],
    ['\ud800.md', 'lesson.md'],
    [`${'x'.repeat(300)}.md`, `${'x'.repeat(80)}.md`],
    [`${'😀'.repeat(300)}.md`, 'lesson.md'],
  ])('named %j is kept under the label %j', (name, label) => {
    const checked = check('# Lesson', name);
    expect(checked).toMatchObject({ ok: true, value: { label } });
    if (!checked.ok) return;
    expect(checked.value.label).toMatch(/^[\p{L}\p{N}][^/\\<>:"|?*\p{C}]*\.(md|markdown|txt)$/u);
    expect(checked.value.warnings.length > 0).toBe(name !== label);
  });

  it.each(['lesson', 'lesson.html', 'lesson.md.exe', 'md', '', 'lesson.md/', 'lesson.md '])(
    'named %j is none',
    (name) => {
      expect(verdict('# Lesson', name)).toBe('file_validation_failed');
    },
  );

  it.each(['image/png', 'text/html', 'application/javascript'])('of the type %s is none', (type) => {
    expect(verdict('# Lesson', 'lesson.md', type)).toBe('file_validation_failed');
  });

  it('may come without a type that says anything', () => {
    expect(verdict('# Lesson', 'lesson.md', 'application/octet-stream')).toBe('kept');
  });

  it.each([
    ['no UTF-8', Buffer.from([0x23, 0xff, 0xfe])],
    ['a PNG', Buffer.from('89504e470d0a1a0a0000000d', 'hex')],
    ['null bytes', 'a\0b'],
    ['escape sequences', 'a\u001b[31mb'],
    ['C1 controls', 'a\u009bb'],
    ['nothing', ''],
    ['white space', ' \n\t\n'],
  ])('with %s is none', (_what, content) => {
    expect(verdict(content)).toBe('file_validation_failed');
  });

  it('of this project’s own samples is kept without a word', async () => {
    const folder = new URL('../../../../docs/lessons/', import.meta.url);
    for (const name of await readdir(folder)) {
      const checked = check(await readFile(new URL(name, folder)), name);
      expect([name, checked]).toMatchObject([name, { ok: true, value: { warnings: [] } }]);
    }
  });

  it('is said to be odd when it is', () => {
    const warningsOf = (text: string) => {
      const checked = check(text);
      return checked.ok ? checked.value.warnings : [];
    };
    expect(warningsOf('Привет, это урок. 你好 – “quotes” é')).toEqual([]);
    expect(warningsOf('\ufeff# Lesson')).toEqual([expect.stringContaining('byte order mark')]);
    expect(warningsOf('abc \u202e def')).toEqual([expect.stringContaining('direction')]);
  });
});

describe('active content', () => {
  it.each([
    '<script>alert(1)</script>',
    'text\n\n<SCRIPT src=//evil.example/x.js>',
    '</script >',
    '- item\n\n    <script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<img src="a>b" onerror=alert(1)>',
    '<svg/onload=alert(1)>',
    '<p\nonclick="go()">',
    '<a title=\'x\'onmouseover="go()">',
    '[click](javascript:alert(1))',
    '[click]( JavaScript:alert(1))',
    '[click](java&#115;cript:alert(1))',
    '[click](java\tscript&colon;alert(1))',
    '[click](<javascript:alert(1)>)',
    '[click]: javascript:alert(1)',
    '<javascript:alert(1)>',
    '<a href="javascript:alert(1)">x</a>',
    '<a href = vbscript:x>x</a>',
    '![x](data:text/html;base64,PHNjcmlwdD4=)',
    '`a` <script>x</script> `b`',
    'a ` b <script>x</script>',
    '\\`<script>x</script>`',
    '```\ncode\n```\n<script>x</script>',
    '```\r\ncode\r\n```\r\n<p\r\nonclick="go()">',
    '```\rcode\r```\r<script>x</script>',
    '~~~\ncode\n~~~~\n<script>x</script>',
  ])('is found in %j', (text) => {
    expect(verdict(text)).toBe('security_validation_failed');
  });

  it.each([
    'The word script, and scripts: JavaScript: a language. onclick = what happens on a click.',
    'Write `<script>` to begin a script, and `javascript:` before a link.',
    '``a ` b <script>``',
    '```html\n<script>alert(1)</script>\n```',
    '~~~\n<img onerror=x>\n~~~',
    '> ```\n> <script>\n> ```',
    '- item\n\n  ```\n  <script>\n  ```',
    'Text\n\n    <script>indented code</script>\n\nText',
    '```\nnever closed <script>',
    '| word | meaning |\n| --- | --- |\n| on time = punctual | `onload=` |\n| javascript: | a word |',
    'if a < b then on = 1, and 2 > 1',
    '&lt;script&gt; is how it is written.',
    '<b>on sale = cheaper</b> and <em class="x">once = one time</em>',
    '<https://example.com/?onload=1>',
    '[link](https://example.com/javascript:not)',
    'The ![diagram](data:image/png;base64,AAAA) and <scripture>',
    'Fill in: on___ = 1 < 2',
  ])('is not seen in %j', (text) => {
    expect(verdict(text)).toBe('kept');
  });

  it('is not overlooked in a text made to keep us busy', () => {
    expect(verdict('[a](j'.repeat(50_000))).toBe('security_validation_failed');
    expect(verdict(`${'<a "'.repeat(50_000)}\n\n<script>`)).toBe('security_validation_failed');
    expect(verdict('\\`'.repeat(50_000))).toBe('kept');
    expect(verdict(`${'1) '.repeat(2_000_000)}\n\n<script>`)).toBe('security_validation_failed');
  });
});
