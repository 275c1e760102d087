/** What flite's American letter-to-sound rules cannot read, in words they can. In order. */
const REWRITES: readonly (readonly [RegExp, string])[] = [
  [/[‘’ʼ′`]/g, "'"],
  [/[“”„«»″]/g, '"'],
  [/(?<=\d)\s?[–—]\s?(?=\d)/g, ' to '],
  [/[–—―]/g, ', '],
  [/…\s*$/, '.'],
  [/…/g, ', '],
  [/£\s?(\d+(?:[.,]\d+)*)/g, '$1 pounds'],
  [/€\s?(\d+(?:[.,]\d+)*)/g, '$1 euros'],
  [/&/g, ' and '],
  [/°/g, ' degrees '],
  [/ß/g, 'ss'],
  [/æ/gi, 'ae'],
  [/œ/gi, 'oe'],
  [/ø/gi, 'o'],
  [/ł/gi, 'l'],
  [/đ/gi, 'd'],
];

/** Text as ASCII for the offline voices; empty when nothing in it can be said in English letters. */
export const speakable = (text: string): string => {
  const rewritten = REWRITES.reduce((rest, [pattern, by]) => rest.replace(pattern, by), text);
  const ascii = rewritten
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^ -~]+/g, ' ')
    .replace(/\s+/g, ' ')
    .replace(/ (?=[,.!?;:])/g, '')
    .replace(/^[\s,.!?;:]+/, '')
    .trim();
  return /[a-z\d]/i.test(ascii) ? ascii : '';
};
