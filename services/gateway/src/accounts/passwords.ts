import { coalesce } from '@esl/kit/coalesce';
import { hash, verify } from '@node-rs/argon2';

/** `Algorithm.Argon2id`, a const enum of the library. */
const ARGON2ID = 2;
/** OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane. About 15 ms of one core. */
const COST = { algorithm: ARGON2ID, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const SAME_COST = `$argon2id$v=19$m=${COST.memoryCost},t=${COST.timeCost},p=${COST.parallelism}$`;

/** Hashes under way together: half of libuv's threads, the rest reads and writes files. */
const AT_ONCE = 2;
/** More would wait for more than a second: better to say so. */
const MAX_WAITING = 100;

export class TooManyPasswords extends Error {
  override name = 'TooManyPasswords';
}

export type Passwords = {
  readonly hash: (password: string) => Promise<string>;
  /** Without a hash it takes as long, and answers no: nobody can tell which users exist. */
  readonly matches: (password: string, passwordHash: string | null) => Promise<boolean>;
  /** Whether a hash was made at another cost than today's. */
  readonly isOutdated: (passwordHash: string) => boolean;
};

/** One person may type a letter as one code point or as several. */
const bytesOf = (password: string) => Buffer.from(password.normalize('NFKC'));

/** argon2id with bounded concurrency. */
export const openPasswords = async (): Promise<Passwords> => {
  const nobodys = await hash(Buffer.from('nobody has this password'), COST);
  let waiting = 0;
  const fewAtOnce = coalesce(
    async ([work]: readonly (() => Promise<string | boolean>)[]) => [await work?.()],
    { maxItems: 1, inFlight: AT_ONCE },
  );
  const inTurn = async <T extends string | boolean>(work: () => Promise<T>): Promise<T> => {
    if (waiting >= MAX_WAITING) throw new TooManyPasswords('too many passwords are being checked');
    waiting += 1;
    try {
      return (await fewAtOnce(work)) as T;
    } finally {
      waiting -= 1;
    }
  };
  return {
    hash: (password) => inTurn(() => hash(bytesOf(password), COST)),
    matches: async (password, passwordHash) => {
      const same = await inTurn(() => verify(passwordHash ?? nobodys, bytesOf(password)));
      return same && passwordHash !== null;
    },
    isOutdated: (passwordHash) => !passwordHash.startsWith(SAME_COST),
  };
};
