import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const bin = join(root, 'node_modules/.bin');

/** Runs buf in the module's folder with the project's plugins at hand. */
export const buf = (...args: string[]) =>
  run(join(bin, 'buf'), args, {
    cwd: join(root, 'proto'),
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });

export const generateInto = async (folder: URL | string): Promise<void> => {
  const out = typeof folder === 'string' ? folder : fileURLToPath(folder);
  const template = (await readFile(join(root, 'proto/buf.gen.yaml'), 'utf8')).replace(
    'out: ../contracts/gen',
    `out: ${out}`,
  );
  const work = await mkdtemp(join(tmpdir(), 'buf-'));
  try {
    await writeFile(join(work, 'buf.gen.yaml'), template);
    await buf('generate', '--template', join(work, 'buf.gen.yaml'));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
};

const filesIn = async (folder: string): Promise<Map<string, string>> => {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(
      paths.map(async (path) => [path.slice(folder.length), await readFile(path, 'utf8')] as const),
    ),
  );
};

/** Throws when the committed code is not what the protobuf files make. */
export const checkGenerated = async (): Promise<void> => {
  const fresh = await mkdtemp(join(tmpdir(), 'gen-'));
  try {
    await generateInto(fresh);
    const [made, committed] = await Promise.all([filesIn(fresh), filesIn(join(root, 'contracts/gen'))]);
    const names = new Set([...made.keys(), ...committed.keys()]);
    const stale = [...names].filter((name) => made.get(name) !== committed.get(name));
    if (stale.length > 0)
      throw new Error(`contracts/gen is stale, run \`npm run generate\`:\n${stale.join('\n')}`);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
};
