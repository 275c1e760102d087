/** The colours of a preset, by Notion's names (`blue`, `blue_background`). */
export type PresetColours = {
  readonly h2?: string;
  readonly h3?: string;
  /** `h2`: the toggle right after a section heading. */
  readonly toggleMap?: { readonly h2?: string };
};

type Tint = readonly [onLight: string, onDark: string];
type Hue = { readonly text: Tint; readonly background: Tint };

/** The page itself. Every pair of text and ground below has a contrast of at least 4.5 (WCAG AA). */
export const INK: Tint = ['#1f2328', '#e6e4df'];
export const PAPER: Tint = ['#fdfcfa', '#191817'];

export const HUES: Readonly<Record<string, Hue>> = {
  gray: { text: ['#5f5e5b', '#b3b1ab'], background: ['#ecebe8', '#35332f'] },
  brown: { text: ['#7c4f37', '#d9a78b'], background: ['#f1e8e3', '#452f26'] },
  orange: { text: ['#9a4a08', '#f0a35e'], background: ['#fbe8d6', '#533620'] },
  yellow: { text: ['#755700', '#e8c65a'], background: ['#fbf0c9', '#4b3d17'] },
  green: { text: ['#2b6546', '#7fc99b'], background: ['#e3f0e6', '#213c2e'] },
  blue: { text: ['#1c5a86', '#7fbde6'], background: ['#dfeef8', '#163850'] },
  purple: { text: ['#65408a', '#c3a0e6'], background: ['#eee6f6', '#392a48'] },
  pink: { text: ['#962b63', '#f09ac2'], background: ['#f9e6ef', '#4a2939'] },
  red: { text: ['#a92b27', '#ff9b96'], background: ['#fce4e3', '#502b28'] },
};

/** The speakers of a dialogue, in their order. */
export const SPEAKER_HUES = ['blue', 'orange', 'purple', 'green', 'pink', 'brown', 'red', 'yellow'] as const;

export const either = ([onLight, onDark]: Tint): string => `light-dark(${onLight},${onDark})`;

/** CSS for headings and toggles of this preset. Names that are no colours have no effect. */
export const presetStyle = ({ h2, h3, toggleMap }: PresetColours): string =>
  [rule('.tint-h2', h2), rule('.tint-h3', h3), rule('.tint-toggle', toggleMap?.h2)].join('');

const rule = (selector: string, name = 'default'): string => {
  const [hueName = '', ground] = name.split(/_(?=background$)/);
  const hue = Object.hasOwn(HUES, hueName) ? HUES[hueName] : undefined;
  if (!hue) return '';
  return ground
    ? `${selector}{background:${either(hue.background)};padding:.3em .6em;border-radius:.4em}`
    : `${selector}{color:${either(hue.text)}}`;
};
