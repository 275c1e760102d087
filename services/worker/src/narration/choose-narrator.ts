import { createHash } from 'node:crypto';
import type { Narrator } from './narrator.ts';

/** What a user should know about who narrates. */
export type NarratorNotice = { readonly code: string; readonly message: string };

export type NarratorChoice = { readonly narrator: Narrator; readonly notice: NarratorNotice | null };

export type NarratorWish = {
  /** Of an ElevenLabs account; null: there is none. */
  readonly apiKey: string | null;
  /** `local`, or anything else for ElevenLabs where there is a key. */
  readonly ttsProvider: string | null;
};

const NO_ACCOUNT: NarratorNotice = {
  code: 'narrated_locally',
  message: 'The lesson was narrated with the voices built in, because no ElevenLabs account is connected.',
};

/** Accounts kept ready in one worker. The oldest goes first: it only forgets that it was asked to wait. */
const MAX_ACCOUNTS = 200;

/**
 * Who narrates for an owner. Jobs of one key share one narrator, and thereby its limit of requests at once. Keys are
 * remembered by their hash.
 */
export const chooseNarrator = ({
  local,
  elevenLabs,
}: {
  readonly local: Narrator;
  readonly elevenLabs: (apiKey: string) => Narrator;
}) => {
  const accounts = new Map<string, Narrator>();
  return ({ apiKey, ttsProvider }: NarratorWish): NarratorChoice => {
    if (ttsProvider === 'local') return { narrator: local, notice: null };
    if (apiKey === null) return { narrator: local, notice: NO_ACCOUNT };
    const fingerprint = createHash('sha256').update(apiKey).digest('base64');
    const narrator = accounts.get(fingerprint) ?? elevenLabs(apiKey);
    accounts.delete(fingerprint);
    accounts.set(fingerprint, narrator);
    const [oldest] = accounts.keys();
    if (accounts.size > MAX_ACCOUNTS && oldest !== undefined) accounts.delete(oldest);
    return { narrator, notice: null };
  };
};
