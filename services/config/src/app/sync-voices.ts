// Keeps the list of the account's voices current.
//   V1. One replica reads at a time, and the list is read once a period however many replicas there are.
//   V2. A reading that fails changes nothing: the last good list stays, and it is tried again soon.

import type { Log } from '@esl/kit/log';
import { counter } from '@esl/kit/metrics';
import { CatalogFault, parseCatalogFile } from '../catalog-files.ts';
import type { VoiceStore } from './needs.ts';

/** After a reading that failed, in ms, but never less often than usual. */
const RETRY_MS = 300_000;
/** How often the store is asked whether it is time, at most. */
const MAX_TICK_MS = 60_000;

const synced = counter('esl_voices_synced_total', 'Readings of the ElevenLabs voices', ['result']);

export const followVoices = (
  {
    list,
    store,
    changed,
    now,
    log,
  }: {
    /** The account's voices, as the text of a voices file. */
    readonly list: (signal: AbortSignal) => Promise<string>;
    readonly store: VoiceStore;
    /** There may be a new list. */
    readonly changed: () => Promise<void>;
    readonly now: () => Date;
    readonly log: Log;
  },
  everyMs: number,
  signal: AbortSignal,
): void => {
  const retryMs = Math.min(everyMs, RETRY_MS);
  const later = (ms: number) => new Date(now().getTime() + ms);

  const look = async () => {
    // Claimed for the shorter time: a replica that dies over it, or fails, is followed soon.
    if (!(await store.claim(now(), later(retryMs)))) return;
    try {
      const text = await list(signal);
      // An account always has voices: none, or some that cannot be read, is a mistake somewhere.
      if (parseCatalogFile('voices', text).length === 0) throw new CatalogFault('there are no voices');
      await store.put(text, now(), later(everyMs));
      synced.inc({ result: 'read' });
      await changed();
    } catch (error) {
      signal.throwIfAborted();
      synced.inc({ result: 'failed' });
      log.warn(
        { err: error },
        'the voices of the ElevenLabs account could not be read; the last good ones stay',
      );
    }
  };

  let looking = false;
  const tick = () => {
    if (looking) return;
    looking = true;
    look()
      .catch((error: unknown) => {
        if (!signal.aborted) log.warn({ err: error }, 'whether voices are to be read is not known now');
      })
      .finally(() => {
        looking = false;
      });
  };
  const timer = setInterval(tick, Math.min(retryMs, MAX_TICK_MS));
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  tick();
};
