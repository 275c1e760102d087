const MAX_STEM = 80;
const MAX_ORIGINAL = 255;
const UNNAMED = 'lesson';

/** Which file names are lessons', and the type each means. */
export const TYPES = {
  md: 'text/markdown',
  markdown: 'text/markdown',
  txt: 'text/plain',
} as const satisfies Record<string, string>;
export type LessonType = (typeof TYPES)[keyof typeof TYPES];

/** What is left of a name is letters, digits, marks and a few signs: nothing that a shell, a path or HTML would read. */
const UNSAFE = /[^\p{L}\p{M}\p{N}._ ()+,=@!'-]+/gu;

const wellFormed = (text: string) => text.toWellFormed();

/** The name as it was sent, cut to what a file system could have held. */
export const originalName = (name: string): string => [...wellFormed(name)].slice(0, MAX_ORIGINAL).join('');

/**
 * A label made of whatever name a client sends: shown and searched, never part of a path. Null for a name that is no
 * lesson's.
 */
export const labelOf = (name: string): { readonly label: string; readonly type: LessonType } | null => {
  const last = wellFormed(name).normalize('NFC').split(/[/\\]/).at(-1) ?? '';
  const dot = last.lastIndexOf('.');
  const extension = dot < 0 ? '' : last.slice(dot + 1).toLowerCase();
  const type = Object.hasOwn(TYPES, extension) ? TYPES[extension as keyof typeof TYPES] : null;
  if (!type) return null;
  const clean = last
    .slice(0, dot)
    .replaceAll(UNSAFE, '-')
    .replaceAll(/\.{2,}/g, '.');
  const stem = [...clean.replaceAll(/^[\s.-]+|[\s.-]+$/g, '')].slice(0, MAX_STEM).join('').trimEnd();
  return { label: `${stem || UNNAMED}.${extension}`, type };
};
