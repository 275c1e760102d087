import { createHmac, timingSafeEqual } from 'node:crypto';

const DAY_MS = 86_400_000;
const STEP_MS = 7 * DAY_MS;
const MIN_LEFT_MS = DAY_MS;

/**
 * When a link to something last changed at `updatedAtMs` ends, in seconds since 1970: the first whole week after the
 * change that leaves at least a day. The time of asking matters only once a week, so that an event and a GET of the
 * same version carry the same link: a first link holds for six days and then gives way to the next.
 */
export const expiryOf = (updatedAtMs: number, nowMs: number): number => {
  const steps = Math.max(1, Math.ceil((nowMs + MIN_LEFT_MS - updatedAtMs) / STEP_MS));
  return Math.floor((updatedAtMs + steps * STEP_MS) / 1_000);
};

export type Links = {
  /** To a path of the HTTP API. */
  readonly to: (path: string) => string;
  /** A link to a blob that anyone who has it may follow until it expires. */
  readonly file: (key: string, updatedAtMs: number) => string;
  readonly check: (key: string, expires: string, signature: string) => 'good' | 'bad' | 'expired';
};

export const signedLinks = (settings: {
  readonly secret: string;
  readonly publicUrl: string;
  readonly now: () => number;
}): Links => {
  const { secret, publicUrl, now } = settings;
  const sign = (key: string, expires: string) =>
    createHmac('sha256', secret).update(`${expires}\n${key}`).digest('base64url');
  return {
    to: (path) => publicUrl + path,
    file: (key, updatedAtMs) => {
      const expires = String(expiryOf(updatedAtMs, now()));
      return `${publicUrl}/files/${key}?expires=${expires}&signature=${sign(key, expires)}`;
    },
    check: (key, expires, signature) => {
      const wanted = Buffer.from(sign(key, expires));
      const given = Buffer.from(signature);
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return 'bad';
      return Number(expires) * 1_000 > now() ? 'good' : 'expired';
    },
  };
};
