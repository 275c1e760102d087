/** The nine sections of a lesson, in order. */
export const SECTION_TITLES = [
  "1. This Week's Mission Briefing",
  '2. Your Homework Roadmap',
  '3. Input Material: The Source',
  '4. Language Toolkit: Useful Language',
  '5. Practice & Pronunciation',
  '6. Your Turn: Complete the Mission!',
  '7. Why This Mission Helps You',
  '8. Answer Key & Sample Mission',
  "9. Teacher's Follow-up Plan",
] as const;

/** For comparing headings and labels: no emoji or other decoration, straight apostrophes, lower case. */
export const normaliseHeading = (text: string): string =>
  text
    .replace(/[‘’]/g, "'")
    .replace(/[^\w\s.\-'&:]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .toLowerCase();

const NORMALISED = SECTION_TITLES.map(normaliseHeading);

/** Index of the section this heading opens, or -1. Only the start of the third is fixed. */
export const sectionOf = (heading: string): number => {
  const text = normaliseHeading(heading);
  return NORMALISED.findIndex((title, index) =>
    index === 2 ? text.startsWith('3. input material') : text === title,
  );
};
