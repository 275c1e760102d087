/** How much slower beginners hear the lesson. */
const LEVEL_STRETCH: readonly (readonly [RegExp, number])[] = [
  [/^(pre-?)?a[01]/i, 1.25],
  [/^a2/i, 1.15],
];

/** How many times longer speech takes at a CEFR level than at its natural pace. */
export const levelStretch = (level: string): number =>
  LEVEL_STRETCH.find(([pattern]) => pattern.test(level.trim()))?.[1] ?? 1;
