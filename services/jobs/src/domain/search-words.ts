const MAX_WORDS = 40;
const MAX_WORD_LENGTH = 40;

/** Letters without a decomposition that people type without their stroke or ligature. */
const FOLDED: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ł: 'l',
  ı: 'i',
};

/**
 * The distinct words of some texts, as a search compares them: lower case, without diacritics, so that "Zoë's Café"
 * gives `zoe`, `s` and `cafe`. Words and their number are bounded, because each is an entry of an index.
 */
export const searchWords = (texts: readonly string[]): string[] => {
  const words = new Set<string>();
  for (const text of texts) {
    const folded = text
      .normalize('NFKD')
      .replaceAll(/\p{M}+/gu, '')
      .toLowerCase()
      .replaceAll(/[ßæœøđłı]/g, (letter) => FOLDED[letter] ?? letter);
    for (const [word] of folded.matchAll(/[\p{L}\p{N}]+/gu)) {
      if (words.size === MAX_WORDS) return [...words];
      words.add(word.slice(0, MAX_WORD_LENGTH));
    }
  }
  return [...words];
};
