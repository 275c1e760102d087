/**
 * How long a server asks to be left alone, in ms, by its `Retry-After` (RFC 9110 §10.2.3: seconds, or a date). Null
 * when it does not say, or says nothing sensible.
 */
export const retryAfterMs = (value: string | null, now: number): number | null => {
  if (value === null) return null;
  if (/^\s*\d+(\.\d+)?\s*$/.test(value)) return Math.ceil(Number(value) * 1_000);
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
};
