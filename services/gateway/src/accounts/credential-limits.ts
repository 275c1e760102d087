import type { Limit, RateLimits } from './needs.ts';
import { hashOf } from './refresh-token.ts';

export type CredentialLimits = {
  /** Before a password is checked. Answers 0, or how long to wait, in ms. */
  readonly attempt: (account: string, address: string) => Promise<number>;
  /** The password was right: only wrong ones count. */
  readonly succeeded: (account: string, address: string) => Promise<void>;
  readonly register: (address: string) => Promise<number>;
};

const NEVER: CredentialLimits = {
  attempt: async () => 0,
  succeeded: async () => {},
  register: async () => 0,
};

/**
 * Guesses are limited for each account, known or not, whoever guesses; and loosely for each address, which many people
 * may share. A turn is taken before the password is looked at, so that guesses sent together count too.
 */
export const credentialLimits = (
  limits: RateLimits | null,
  each: { readonly account: Limit; readonly address: Limit; readonly register: Limit },
): CredentialLimits => {
  if (!limits) return NEVER;
  const ofAccount = (account: string) => `password:account:${hashOf(account)}`;
  const ofAddress = (address: string) => `password:address:${address}`;
  return {
    attempt: async (account, address) =>
      (await limits.take(ofAddress(address), each.address)) ||
      (await limits.take(ofAccount(account), each.account)),
    succeeded: async (account, address) => {
      await Promise.all([
        limits.giveBack(ofAddress(address), each.address),
        limits.giveBack(ofAccount(account), each.account),
      ]);
    },
    register: (address) => limits.take(`register:address:${address}`, each.register),
  };
};
