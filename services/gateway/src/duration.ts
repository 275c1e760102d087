import { z } from 'zod';

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d{1,9})([smhd]?)$/;

/** `15m`, `7d`, `12h`, `90s`, or plain seconds; in ms from here on. */
export const duration = (
  fallback: string,
  { minMs, maxMs }: { readonly minMs: number; readonly maxMs: number },
) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      const [, count, unit] = DURATION.exec(text.trim()) ?? [];
      if (count !== undefined) return Number(count) * UNIT_MS[(unit || 's') as keyof typeof UNIT_MS];
      context.addIssue('must be a number of seconds, or a number with s, m, h or d');
      return z.NEVER;
    })
    .pipe(z.int().min(minMs).max(maxMs));
