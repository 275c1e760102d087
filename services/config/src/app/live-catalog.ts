// The live catalog: the last good state of every file, kept current.
//   L1. A file that cannot be read or understood keeps its last good state and makes the whole `stale`; the others
//       move on. A part that was never good has its fallback.
//   L2. A file that is gone takes its contents along, but a folder that cannot be listed does not.
//   L3. Equal versions, equal answers: the version is a hash of all that is answered, `stale` included.

import { createHash } from 'node:crypto';
import type { Log } from '@esl/kit/log';
import { gauge } from '@esl/kit/metrics';
import { CatalogFault, type Contents, type FileKind, parseCatalogFile } from '../catalog-files.ts';
import { type Catalog, completeStudents, FALLBACK, type Narrator, oddities } from '../domain/catalog.ts';
import { type JobOptions, jobOptions } from '../domain/job-options.ts';
import type { NotionSettings } from '../domain/notion-databases.ts';
import type { CatalogFile, CatalogSource } from './needs.ts';

export type Snapshot = {
  readonly version: string;
  readonly catalog: Catalog;
  /** Of the system's own accounts. */
  readonly options: JobOptions;
  /** Something cannot be read now. */
  readonly stale: boolean;
  /** When all of this was last read without a fault; at boot, when it was first tried. */
  readonly loadedAt: Date;
};

type Parsed = { readonly [K in FileKind]: { readonly kind: K; readonly contents: Contents[K] } }[FileKind];

export type LiveCatalog = {
  readonly current: () => Snapshot;
  /** Reads the source again. Concurrent calls share a pass, and one more follows for what came in between. */
  readonly refresh: (signal: AbortSignal) => Promise<void>;
  /** Calls back with every new version. */
  readonly onChange: (listener: (snapshot: Snapshot) => void) => void;
};

const staleNow = gauge('esl_config_stale', '1 while a part of the catalog cannot be read');

const parseFile = <K extends FileKind>(kind: K, text: string) => ({
  kind,
  contents: parseCatalogFile(kind, text),
});

/** Later files win where a kind has one value; students add up. */
const assemble = (files: Iterable<Parsed>): Catalog => {
  let catalog = FALLBACK;
  for (const { kind, contents } of files)
    catalog = {
      ...catalog,
      [kind]: kind === 'students' ? [...catalog.students, ...contents] : contents,
    };
  return { ...catalog, students: completeStudents(catalog.students) };
};

const hash = (parts: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(parts, (_, value) => (value instanceof Map ? [...value] : value)))
    .digest('hex')
    .slice(0, 16);

/** Opens the catalog and reads it for the first time. */
export const openCatalog = async (
  source: CatalogSource,
  settings: { notion: NotionSettings; narrator: Narrator; now: () => Date; log: Log },
  signal: AbortSignal,
): Promise<LiveCatalog> => {
  const { notion, narrator, now, log } = settings;
  const listeners: ((snapshot: Snapshot) => void)[] = [];
  let good: ReadonlyMap<string, Parsed> = new Map();
  let told = '';

  /** Says what is wrong once per change. */
  const tell = (faults: readonly string[], notes: readonly string[]) => {
    const news = JSON.stringify([faults, notes]);
    if (news === told) return;
    if (faults.length > 0) log.error({ faults }, 'catalog files have faults, their last good state stays');
    else if (told) log.info('every catalog file is readable');
    if (notes.length > 0) log.warn({ notes }, 'the catalog has oddities');
    told = news;
  };

  const take = (files: readonly CatalogFile[], before: Snapshot | null): Snapshot => {
    const next = new Map<string, Parsed>();
    const faults: string[] = [];
    const keep = (broken: string) => {
      for (const [name, parsed] of good)
        if (name === broken || name.startsWith(`${broken}/`)) next.set(name, parsed);
    };
    for (const file of files) {
      try {
        if ('fault' in file) throw new CatalogFault(file.fault);
        next.set(file.name, parseFile(file.kind, file.text) as Parsed);
      } catch (error) {
        if (!(error instanceof CatalogFault)) throw error;
        faults.push(`${file.name}: ${error.message}`);
        keep(file.name);
      }
    }
    good = next;
    const catalog = assemble(next.values());
    tell(faults, oddities(catalog));
    const stale = faults.length > 0;
    staleNow.set(stale ? 1 : 0);
    const options = jobOptions(catalog, notion, narrator);
    const version = hash([catalog, options, notion.defaultDatabase?.id, stale]);
    const loadedAt = stale && before ? before.loadedAt : now();
    return before?.version === version ? before : { version, catalog, options, stale, loadedAt };
  };

  let snapshot = take(await source.read(signal), null);
  let reading: Promise<void> | null = null;
  let askedAgain = false;

  const readUntilQuiet = async (stop: AbortSignal) => {
    do {
      askedAgain = false;
      const next = take(await source.read(stop), snapshot);
      if (next === snapshot) continue;
      snapshot = next;
      log.info({ version: next.version, stale: next.stale }, 'the catalog has changed');
      for (const listener of listeners) listener(next);
    } while (askedAgain && !stop.aborted);
  };

  return {
    current: () => snapshot,
    refresh: (stop) => {
      askedAgain = true;
      reading ??= readUntilQuiet(stop).finally(() => {
        reading = null;
      });
      return reading;
    },
    onChange: (listener) => void listeners.push(listener),
  };
};

/** Keeps the catalog current until the signal fires: at once when the source tells, else every `pollMs`. */
export const followSource = (
  catalog: Pick<LiveCatalog, 'refresh'>,
  source: CatalogSource,
  { pollMs, log }: { pollMs: number; log: Log },
  signal: AbortSignal,
): void => {
  const look = () => {
    catalog.refresh(signal).catch((error: unknown) => {
      if (!signal.aborted) log.error({ err: error }, 'the catalog could not be read');
    });
  };
  source.watch?.(look, signal);
  const poll = setInterval(look, pollMs);
  signal.addEventListener('abort', () => clearInterval(poll), { once: true });
  // What changed between the first read and the first watch.
  look();
};
