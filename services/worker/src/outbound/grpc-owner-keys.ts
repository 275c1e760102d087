import type { ServiceClient } from '@esl/kit/grpc-client';
import { CannotUnseal, type SealKeys, unseal } from '@esl/kit/seal';
import type {
  GetOwnerKeysResponse,
  OwnerSettingsService,
} from '@esl-pipeline/contracts/esl/config/v1/owner_settings_service';
import { RunError, toRunError } from '../pipeline/run-error.ts';

/** What a key is for, which is what it was sealed for, and what its owner calls it. */
const KEYS = {
  elevenlabs_key: { field: 'elevenlabsKey', name: 'ElevenLabs key' },
  notion_token: { field: 'notionToken', name: 'Notion token' },
} as const;
export type KeyPurpose = keyof typeof KEYS;

/** The announcement of a new key may be lost; an old one is believed no longer than this, in ms. */
const MAX_AGE_MS = 30_000;
const MAX_OWNERS = 256;

/**
 * Keys of owners' own accounts, null where an owner has none. They are remembered sealed, and opened for each use. One
 * that cannot be opened is never passed over: the job would run on somebody else's account.
 */
export const grpcOwnerKeys = (
  settings: Pick<ServiceClient<typeof OwnerSettingsService>, 'getOwnerKeys'>,
  keys: SealKeys | null,
  now: () => number = performance.now.bind(performance),
) => {
  let sealed = new Map<string, { readonly answer: GetOwnerKeysResponse; readonly at: number }>();

  const ask = async (ownerId: string, signal: AbortSignal): Promise<GetOwnerKeysResponse> => {
    const known = sealed.get(ownerId);
    if (known && now() - known.at < MAX_AGE_MS) return known.answer;
    const asked = sealed; // an answer that was under way when a key changed is not remembered
    const at = now();
    const answer = await settings.getOwnerKeys({ ownerId }, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw toRunError(error);
    });
    asked.delete(ownerId);
    asked.set(ownerId, { answer, at });
    const [oldest] = asked.keys();
    if (asked.size > MAX_OWNERS && oldest !== undefined) asked.delete(oldest);
    return answer;
  };

  return {
    /** Throws a final RunError `owner_key_unreadable`. */
    find: async (ownerId: string, purpose: KeyPurpose, signal: AbortSignal): Promise<string | null> => {
      if (ownerId === '') return null;
      const { field, name } = KEYS[purpose];
      const text = (await ask(ownerId, signal))[field];
      if (text === undefined) return null;
      try {
        return unseal(keys ?? new Map(), { ownerId, purpose }, text);
      } catch (error) {
        if (!(error instanceof CannotUnseal)) throw error;
        throw new RunError(
          'owner_key_unreadable',
          `Your ${name} can no longer be read. Enter it again in your settings, then retry the job.`,
          { retryable: false, cause: error },
        );
      }
    },
    forget: () => {
      sealed = new Map();
    },
  };
};
