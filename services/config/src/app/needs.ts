import type { FileKind } from '../catalog-files.ts';
import type { OwnerKeys, OwnerSettings, SettingsChange } from '../domain/owner-settings.ts';

/** One file of the catalog as it is now: its text, or why it could not be read. */
export type CatalogFile = {
  readonly kind: FileKind;
  /** As people know it, for example `students/Mira.json`. A folder that cannot be listed stands for all in it. */
  readonly name: string;
} & ({ readonly text: string } | { readonly fault: string });

/** Where the catalog comes from. */
export type CatalogSource = {
  /** Everything there is now. What cannot be read is a fault in its place; rejects only when the signal fires. */
  readonly read: (signal: AbortSignal) => Promise<readonly CatalogFile[]>;
  /** Calls back soon after something may have changed, until the signal fires. May miss changes: polling finds them. */
  readonly watch?: (changed: () => void, signal: AbortSignal) => void;
};

/** Larger files are refused, in bytes. */
export const MAX_FILE_BYTES = 1024 * 1024;

/** Several sources as one. */
export const joinSources = (...sources: readonly CatalogSource[]): CatalogSource => ({
  read: async (signal) => (await Promise.all(sources.map((source) => source.read(signal)))).flat(),
  watch: (changed, signal) => {
    for (const source of sources) source.watch?.(changed, signal);
  },
});

/** The settings cannot be read or written now. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
}

/** Settings by owner. Throws StoreUnavailable. */
export type OwnerSettingsStore = {
  /** Null when the owner never set anything. */
  readonly find: (ownerId: string, signal: AbortSignal) => Promise<OwnerSettings | null>;
  readonly keys: (ownerId: string, signal: AbortSignal) => Promise<OwnerKeys>;
  /** One atomic change of what `change` names; resolves with everything as it is then. */
  readonly update: (ownerId: string, change: SettingsChange, signal: AbortSignal) => Promise<OwnerSettings>;
};

/** The list of the account's voices, shared by all replicas. */
export type VoiceStore = {
  /** Whether the list is to be read now, by whoever asks; nobody else is told so before `nextAt`. */
  readonly claim: (now: Date, nextAt: Date) => Promise<boolean>;
  /** Keeps a list, to be read again at `nextAt`. */
  readonly put: (text: string, now: Date, nextAt: Date) => Promise<void>;
};
