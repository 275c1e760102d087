import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { activeContentIn } from './active-content.ts';
import { type LessonType, labelOf, originalName } from './file-label.ts';

export type SentFile = { readonly name: string; readonly type: string; readonly bytes: Buffer };

export type CheckedLesson = {
  readonly label: string;
  readonly originalName: string;
  readonly type: LessonType;
  readonly warnings: readonly string[];
};

export type LessonFault = 'file_validation_failed' | 'security_validation_failed';

/** Types that a client may name. Many name none, or take `.md` for unknown bytes: then the content decides. */
const ACCEPTED = new Set([
  'text/markdown',
  'text/x-markdown',
  'text/plain',
  'application/octet-stream',
  'application/x-markdown',
  '',
]);

/** All but tab, line feed and carriage return (C0), delete, and what ISO 6429 put above it (C1). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f]/;
/** Characters that make a text read otherwise than it is written (Unicode TR36). */
const REORDERING = /[\u202a-\u202e\u2066-\u2069]/;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

const decode = (bytes: Buffer): string | null => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
};

const bad = (message: string) => refuse('file_validation_failed', message);

const IS_ACTIVE = {
  script: 'a script element',
  event_handler: 'an event handler in a tag',
  script_link: 'a link that runs a script',
} as const;

/** Whether a file is a lesson that may be kept: text, by its name and by its content, with nothing in it that runs. */
export const checkLesson = ({ name, type, bytes }: SentFile): Outcome<CheckedLesson, LessonFault> => {
  const labelled = labelOf(name);
  if (!labelled) return bad('A lesson is a file named .md, .markdown or .txt.');
  if (!ACCEPTED.has(type)) return bad('A lesson is of type text/markdown or text/plain.');
  if (bytes.length === 0) return bad('The file is empty.');
  const text = decode(bytes);
  if (text === null) return bad('The file is not valid UTF-8.');
  if (CONTROL.test(text)) return bad('The file holds control characters: it is no plain text.');
  if (text.trim() === '') return bad('The file holds nothing but white space.');
  const active = activeContentIn(text);
  if (active)
    return refuse('security_validation_failed', `The lesson holds ${IS_ACTIVE[active]} outside code.`);
  const original = originalName(name);
  return accept({
    label: labelled.label,
    originalName: original,
    type: labelled.type,
    warnings: [
      ...(labelled.label === name ? [] : [`The file is kept under the name ${labelled.label}.`]),
      ...(bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? ['The file begins with a byte order mark.'] : []),
      ...(REORDERING.test(text) ? ['The text holds characters that change the direction of reading.'] : []),
    ],
  });
};
