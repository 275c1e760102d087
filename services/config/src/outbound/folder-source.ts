import { watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Log } from '@esl/kit/log';
import { type CatalogFile, type CatalogSource, MAX_FILE_BYTES } from '../app/needs.ts';

const MAX_STUDENTS = 2_000;
/** Editors write a file in several steps; only the last is worth reading. */
const SETTLE_MS = 100;

const reason = (error: unknown): string => {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code ?? 'unknown error'})`;
};

const readOne = async (
  kind: CatalogFile['kind'],
  name: string,
  path: string,
  signal: AbortSignal,
): Promise<CatalogFile> => {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) return { kind, name, fault: `is larger than ${MAX_FILE_BYTES} bytes` };
    return { kind, name, text: await readFile(path, { encoding: 'utf8', signal }) };
  } catch (error) {
    signal.throwIfAborted();
    return { kind, name, fault: reason(error) };
  }
};

const readStudents = async (folder: string, signal: AbortSignal): Promise<CatalogFile[]> => {
  try {
    const names = (await readdir(folder)).filter((name) => /^[^.].*\.json$/.test(name)).toSorted();
    if (names.length > MAX_STUDENTS)
      return [{ kind: 'students', name: 'students', fault: `has more than ${MAX_STUDENTS} files` }];
    const files: CatalogFile[] = [];
    for (const name of names)
      files.push(await readOne('students', `students/${name}`, join(folder, name), signal));
    return files;
  } catch (error) {
    signal.throwIfAborted();
    return [{ kind: 'students', name: 'students', fault: reason(error) }];
  }
};

/** Watches folders, not files: an editor or a mounted config map replaces files, and a watch would go with the old one. */
const watchFolders =
  (folders: readonly string[], log: Log): NonNullable<CatalogSource['watch']> =>
  (changed, signal) => {
    let settling: NodeJS.Timeout | undefined;
    const settle = () => {
      clearTimeout(settling);
      settling = setTimeout(changed, SETTLE_MS);
    };
    signal.addEventListener('abort', () => clearTimeout(settling), { once: true });
    for (const folder of new Set(folders)) {
      const unwatched = (error: unknown) => log.warn({ err: error }, 'a folder is only polled');
      try {
        watch(folder, { signal, persistent: false }, settle).on('error', unwatched);
      } catch (error) {
        unwatched(error);
      }
    }
  };

/** Presets, voices.yml and students in a folder. */
export const folderSource = (folder: string, log: Log): CatalogSource => ({
  read: async (signal) => {
    const [presets, voiceMap, students] = await Promise.all([
      readOne('presets', 'presets.json', join(folder, 'presets.json'), signal),
      readOne('voiceMap', 'voices.yml', join(folder, 'voices.yml'), signal),
      readStudents(join(folder, 'students'), signal),
    ]);
    return [presets, voiceMap, ...students];
  },
  watch: watchFolders([folder, join(folder, 'students')], log),
});

/** A narrator's voices: the first of `paths` that exists. */
export const voicesSource = (
  kind: 'voices' | 'localVoices',
  paths: readonly [string, ...string[]],
  log: Log,
): CatalogSource => ({
  read: async (signal) => {
    for (const path of paths) {
      const found = await stat(path).catch(() => null);
      if (found) return [await readOne(kind, basename(path), path, signal)];
    }
    return [await readOne(kind, basename(paths[0]), paths[0], signal)];
  },
  watch: watchFolders(
    paths.map((path) => dirname(path)),
    log,
  ),
});
