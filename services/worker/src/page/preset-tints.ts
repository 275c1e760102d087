/** Colours of a page's headings by Notion's names: `blue`, `blue_background`, `default`. */
export type PresetColours = {
  readonly h2?: string;
  readonly h3?: string;
  /** The toggle directly after an h2. */
  readonly toggleMap?: { readonly h2?: string };
};

export type Shade = { readonly light: string; readonly dark: string };

/** Ink of the page and the paper behind it; every pair below reads well against these (WCAG AA, 4.5 : 1). */
export const INK: Shade = { light: '#26241f', dark: '#ece9e2' };
export const PAPER: Shade = { light: '#fffdf9', dark: '#1b1b19' };

export const TEXT_COLOURS: Readonly<Record<string, Shade>> = {
  gray: { light: '#5f5e5a', dark: '#b6b3ac' },
  brown: { light: '#7a4f36', dark: '#d6ad91' },
  orange: { light: '#9a4800', dark: '#f0a660' },
  yellow: { light: '#775500', dark: '#e8c55f' },
  green: { light: '#28663f', dark: '#80cb9d' },
  blue: { light: '#1b5c92', dark: '#84bcec' },
  purple: { light: '#6b3b9c', dark: '#c9a6ee' },
  pink: { light: '#9d2466', dark: '#f3a1c9' },
  red: { light: '#ac241c', dark: '#ff9f97' },
};

export const BACKGROUNDS: Readonly<Record<string, Shade>> = {
  gray_background: { light: '#ebeae6', dark: '#383733' },
  brown_background: { light: '#f2e6de', dark: '#45342a' },
  orange_background: { light: '#fbe3cb', dark: '#4d3317' },
  yellow_background: { light: '#fbefc0', dark: '#463b14' },
  green_background: { light: '#dcefe1', dark: '#213d2b' },
  blue_background: { light: '#daebf9', dark: '#1d3a52' },
  purple_background: { light: '#ebdff7', dark: '#3a2b4d' },
  pink_background: { light: '#fae0ed', dark: '#4b2639' },
  red_background: { light: '#fde1dd', dark: '#502723' },
};

export const cssShade = ({ light, dark }: Shade): string => `light-dark(${light}, ${dark})`;

/** The rule that gives `selector` this colour; empty for `default` and for names that mean nothing. */
export const tintRule = (selector: string, colour: string | undefined): string => {
  if (colour === undefined) return '';
  const ink = Object.hasOwn(TEXT_COLOURS, colour) ? TEXT_COLOURS[colour] : undefined;
  if (ink) return `${selector}{color:${cssShade(ink)}}\n`;
  const wash = Object.hasOwn(BACKGROUNDS, colour) ? BACKGROUNDS[colour] : undefined;
  if (wash)
    return `${selector}{background:${cssShade(wash)};padding:.3em .6em;margin-inline:-.6em;border-radius:.4rem;print-color-adjust:exact}\n`;
  return '';
};
